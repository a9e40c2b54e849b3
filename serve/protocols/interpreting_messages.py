"""Messages of sessions in which the server says translations while the speaker goes on."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from serve.protocols.dialogue_messages import ReplyWord
from serve.protocols.message_base import Event, Milliseconds

_Name = Annotated[str, Meta(max_length=200)]


class Interpreting(Struct, forbid_unknown_fields=True, frozen=True):
    """How a translation is said. Durations in milliseconds."""

    target: _Name
    """The language that is said: one of `targets`."""
    voice: _Name = ""
    """Empty: the default voice of the language."""
    rate: Annotated[float, Meta(ge=0.75, le=1.5)] = 1.0
    """Speed relative to the voice's own."""
    carry_rate: bool = True
    """Whether our voice speaks slowly or fast as the speaker does."""
    carry_pauses: bool = True
    """Whether it pauses where the speaker does."""
    patience_ms: Annotated[int, Meta(ge=200, le=20_000)] = 2000
    """For how long words wait for the end of their clause while our voice is silent."""
    least_words: Annotated[int, Meta(ge=1, le=20)] = 4
    """Of a clause that is said before its sentence ends."""
    fastest: Annotated[float, Meta(ge=1.0, le=1.5)] = 1.2
    """How much faster it speaks, at most, where it is behind."""
    easy_ms: Annotated[int, Meta(ge=0, le=30_000)] = 1000
    """How far behind it does not hurry yet."""
    late_ms: Annotated[int, Meta(ge=100, le=60_000)] = 3000
    """How far behind it speaks as fast as it may; above `easy_ms`."""
    longest_pause_ms: Annotated[int, Meta(ge=0, le=10_000)] = 2000


class TranslationAudio(Event, tag="translation_audio"):
    """The next samples of a translation are in the binary message behind this: 16 bits, little-endian, mono. To be
    played at once, or behind those before."""

    target: str
    sample_rate: int
    """Hz."""
    start_ms: Milliseconds
    """Where they begin in all that our voice has said."""
    words: list[ReplyWord]
    """Those whose times have become known. Times count as `start_ms` does."""
    source: Annotated[list[int], Meta(min_length=2, max_length=2)]
    """First and last millisecond of the speech that is translated."""
    text: str | UnsetType = UNSET
    """With the first samples of an utterance: what is said in it."""
    last: bool = False
    """Whether the utterance ends with them; then there may be none."""
    pcm: bytes | UnsetType = UNSET
    """Never in the text message."""
