"""Options of a live stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.decode.bias.phrases import Phrase
from speech.decode.endpoint import EndpointConfig
from speech.recognize.request import Request


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

    def requests(self) -> list[Request]:
        """Requests for the second pass on each part: the transcript first, then each translation."""
        transcript = Request(self.languages, phrases=self.phrases, plain=self.plain, nbest=self.nbest)
        return [transcript, *(Request(self.languages, target, plain=self.plain) for target in self.targets)]
