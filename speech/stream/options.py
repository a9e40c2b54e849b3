"""Options of a live stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.decode.bias.phrases import Phrase
from speech.decode.endpoint import EndpointConfig
from speech.errors import ConfigError
from speech.recognize.request import Request
from speech.translate.align_att import AlignAtt
from speech.translate.policy import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslationOptions:
    """How a part is translated while it still grows.

    Raises:
        ConfigError: if a duration is out of range.
    """

    policy: Policy = field(default_factory=AlignAtt)
    """Decides how much of a draft is written."""
    append: bool = False
    """Finals continue what has been written and take nothing back. Otherwise the final is a new translation of the
    complete part, as a file has it."""
    step_s: float = 0.64
    """Seconds of audio between drafts."""
    first_s: float = 1.92
    """Seconds of speech before the first draft of a part."""

    def __post_init__(self) -> None:
        if not 0.16 <= self.step_s <= 10.0 or self.first_s < 0.0:
            raise ConfigError(
                f"drafts every {self.step_s:g} s from {self.first_s:g} s of speech on",
                fix="step_s is 0.16 to 10, first_s at least 0.",
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamOptions:
    """Options of a live stream."""

    languages: tuple[str, ...] = ()
    """ISO 639-3 codes that may be spoken; empty: all languages of the model; see `Request`."""
    targets: tuple[str, ...] = ()
    """ISO 639-3 codes to translate into."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """When a segment ends."""
    interim: bool = True
    """Whether partial results are wanted."""
    max_segment_s: float = 30.0
    """Length in seconds after which a segment of several parts ends at the next part end."""
    context_s: float = 0.5
    """See `OfflineConfig`."""
    phrases: tuple[Phrase, ...] = ()
    """Phrases to bias towards; see `Request`. Translations are not biased."""
    plain: bool = False
    """Write without capitals and punctuation."""
    nbest: int = 1
    """Number of alternative texts per final; see `Request`. Translations have one."""
    translation: TranslationOptions | None = None
    """Translate simultaneously, into targets of label decoder and text translator; None: translate complete parts."""
    late_draft_s: float | None = None
    """Seconds of audio behind which a draft of a translation is late, and left out if something newer waits; None:
    never, so that the text does not depend on the load. It stays as the stream begins."""
    hears_turns: bool = False
    """Judge by voice, at each pause that ends a segment, whether the speaker's turn is over."""

    def requests(self) -> list[Request]:
        """Requests for the second pass on each part: the transcript first, then each translation."""
        transcript = Request(self.languages, phrases=self.phrases, plain=self.plain, nbest=self.nbest)
        return [transcript, *(Request(self.languages, target, plain=self.plain) for target in self.targets)]
