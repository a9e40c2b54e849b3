"""What is wanted of a live stream."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.decode.bias.phrases import Phrase
from speech.decode.endpoint import EndpointConfig
from speech.recognize.request import Request


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamOptions:
    """What a client wants of a stream."""

    languages: tuple[str, ...] = ()
    """ISO 639-3 codes that may be spoken; empty: all that the model knows; see `Request`."""
    targets: tuple[str, ...] = ()
    """ISO 639-3 codes to translate into."""
    endpoint: EndpointConfig = field(default_factory=EndpointConfig)
    """When a segment ends."""
    interim: bool = True
    """Whether partial results are wanted."""
    max_segment_s: float = 30.0
    """A segment of several parts ends at the first end of a part after so long."""
    context_s: float = 0.5
    """See `OfflineConfig`."""
    phrases: tuple[Phrase, ...] = ()
    """That may well be said; see `Request`. Translations are left as they are."""
    plain: bool = False
    """Write without capitals and punctuation."""
    nbest: int = 1
    """So many likely texts of a final are wanted; see `Request`. A translation is one."""

    def requests(self) -> list[Request]:
        """What the second pass reads each part for: the transcript first."""
        transcript = Request(self.languages, phrases=self.phrases, plain=self.plain, nbest=self.nbest)
        return [transcript, *(Request(self.languages, target, plain=self.plain) for target in self.targets)]
