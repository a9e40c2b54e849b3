"""The native wire protocol, `speech.v1`: messages of both sides as types, parsing. No state.

Text frames are JSON with a `type`; binary frames are audio. All times are whole milliseconds of audio. Events of the
server carry `seq`: 1, 2, 3 ... for a session, on through reconnects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.protocols.close_codes import CloseCode as CloseCode
from serve.protocols.score_messages import Reference, ReferenceCoverage, ReferenceText, ScoreFigures, SentenceErrors

SUBPROTOCOL = "speech.v1"

Frame = str | bytes
"""One message of a websocket: JSON text, or audio."""
Milliseconds = Annotated[int, Meta(ge=0)]
Codes = Annotated[list[str], Meta(max_length=64)]


# What a client says


class AudioParams(Struct, forbid_unknown_fields=True):
    """How the binary frames are to be read."""

    encoding: Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw", "opus", "ogg_opus", "webm_opus", "auto"] = "pcm_s16le"
    sample_rate: Annotated[int, Meta(ge=8000, le=48000)] = 16000
    channels: Annotated[int, Meta(ge=1, le=2)] = 1


class Endpointing(Struct, forbid_unknown_fields=True):
    """When a segment ends."""

    mode: Literal["auto", "client", "off"] = "auto"
    """auto: at pauses; client, off: only at `finalize`, and where speech goes on for too long."""
    silence_ms: Annotated[int, Meta(ge=100, le=5000)] = 500
    max_utterance_ms: Annotated[int, Meta(ge=1000, le=30000)] = 16000
    blank_ms: Annotated[int, Meta(ge=200, le=10000)] | None = None
    """auto: also where partial results have brought no word for so long, though the voice detector hears speech."""


class Options(Struct, kw_only=True, forbid_unknown_fields=True):
    """What a session is asked for; `update` changes the ones that it names."""

    languages: Codes | UnsetType = UNSET
    """Codes or names; empty: any that the model knows."""
    targets: Codes | UnsetType = UNSET
    """Translate into these."""
    phrases: list[str] | UnsetType = UNSET
    """That may well be said, such as names, up to 1,000; with "^2" behind it, one is preferred twice as much."""
    endpointing: Endpointing | UnsetType = UNSET
    plain: bool | UnsetType = UNSET
    """Whether texts are without capitals and punctuation."""
    nbest: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    """So many likely texts of a final are wanted, as `alternatives`."""
    interim: Literal["revisable", "append", "off"] | UnsetType = UNSET
    """revisable: partial transcripts may change behind `stable`; append: only what is stable, as `delta`."""


class StartMessage(Options, tag="start"):
    """First message of a session; optional where the defaults will do."""

    model: str | None = None
    audio: AudioParams = msgspec.field(default_factory=AudioParams)
    words: bool = True
    """Whether transcripts list their words."""
    vad_events: bool = True
    """Whether `speech_started` and `speech_ended` are sent."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    reference: ReferenceText | str | None = None
    """What will really be said, for `score`; more may follow as `reference`."""


class Update(Options, tag="update"):
    """Other options, from the segment under way on; all or none of them."""


class Finalize(Struct, tag="finalize", forbid_unknown_fields=True):
    """Finals for all audio sent so far; the stream goes on."""

    id: Annotated[str, Meta(max_length=64)] | None = None


class KeepAlive(Struct, tag="keepalive", forbid_unknown_fields=True):
    """Still there; no audio time passes."""


class Resume(Struct, tag="resume", forbid_unknown_fields=True):
    """Instead of `start`: go on with a session whose connection broke."""

    session: str
    token: str
    last_seq: Annotated[int, Meta(ge=0)] = 0


class Stop(Struct, tag="stop", forbid_unknown_fields=True):
    """No more audio: finals, `end`, and the connection closes."""


ClientMessage = StartMessage | Update | Finalize | KeepAlive | Resume | Stop | Reference


# What the server says


class WordInfo(Struct, forbid_unknown_fields=True):
    """A word, or a character where the language writes no spaces."""

    text: str
    start_ms: Milliseconds
    end_ms: Milliseconds
    conf: Annotated[float, Meta(ge=0, le=1)]
    lang: str | None


class AlternativeText(Struct, forbid_unknown_fields=True):
    """One of the likely texts of a segment."""

    text: str
    confidence: Annotated[float, Meta(ge=0, le=1)]


class LanguageShare(Struct, forbid_unknown_fields=True):
    """Part of the words."""

    code: str
    share: float


class ServerLimits(Struct, forbid_unknown_fields=True):
    """Of this server."""

    max_message_bytes: int
    max_lead_ms: int
    idle_timeout_ms: int
    max_session_ms: int
    max_reference_letters: int


class ModelInfo(Struct, forbid_unknown_fields=True):
    """What recognises."""

    id: str
    sha256: str


class Event(Struct, kw_only=True, forbid_unknown_fields=True):
    """Base of everything the server says."""

    seq: Annotated[int, Meta(ge=1)]


class Started(Event, tag="started"):
    """The session runs."""

    session: str
    resume_token: str
    resume_ttl_ms: int
    protocol: str
    server: str
    model: ModelInfo
    live: Literal["chunks", "parts"]
    """What partial transcripts come from: chunks of audio, or parts that are read again at most every second."""
    audio: AudioParams
    languages: list[str]
    limits: ServerLimits


class Resumed(Event, tag="resumed"):
    """Send audio again from byte `received_bytes`; missed events follow."""

    session: str
    resume_token: str
    received_bytes: int
    next_seq: int


class TranscriptMessage(Event, tag="transcript"):
    """The text of a segment so far. `stable` leading words never change; with `append` they come as `delta`."""

    segment: int
    rev: int
    is_final: bool
    stable: int
    start_ms: Milliseconds
    end_ms: Milliseconds
    audio_ms: Milliseconds
    lag_ms: Milliseconds
    languages: list[LanguageShare]
    text: str | UnsetType = UNSET
    words: list[WordInfo] | UnsetType = UNSET
    delta: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    written_by: Literal["decoder", "ctc"] | UnsetType = UNSET
    """Of a final; partial results are always CTC's."""
    alternatives: list[AlternativeText] | UnsetType = UNSET
    """Of a final, with `nbest`: its text and others, from likely to unlikely."""


class Translation(Event, tag="translation"):
    """The translation of a segment so far; it only grows."""

    segment: int
    target: str
    is_final: bool
    text: str
    stable: int
    source: Annotated[list[int], Meta(min_length=2, max_length=2)]
    audio_ms: Milliseconds
    lag_ms: Milliseconds


class LanguageMessage(Event, tag="language"):
    """The speaker turned to another language, or the first one became clear."""

    at_ms: Milliseconds
    from_: str | None = msgspec.field(name="from")
    to: str
    conf: float


class SpeechStarted(Event, tag="speech_started"):
    """Somebody speaks."""

    at_ms: Milliseconds


class SpeechEnded(Event, tag="speech_ended"):
    """Nobody speaks any more."""

    at_ms: Milliseconds


class EndpointMessage(Event, tag="endpoint"):
    """A segment with speech ended; `latency_ms` after its last speech it was decided."""

    at_ms: Milliseconds
    reason: str
    latency_ms: int


class Ack(Event, tag="ack"):
    """Audio taken so far: what need not be kept for a resume."""

    received_bytes: int
    processed_ms: Milliseconds
    lag_ms: Milliseconds


class Flow(Event, tag="flow"):
    """Audio comes faster than it is processed: wait, or go on."""

    state: Literal["pause", "resume"]
    lead_ms: Milliseconds
    max_lead_ms: int


class Updated(Event, tag="updated"):
    """The options of `update` hold from here on."""

    from_ms: Milliseconds


class Finalized(Event, tag="finalized"):
    """The finals that `finalize` asked for have been sent."""

    id: str | None
    at_ms: Milliseconds


class Referenced(Event, tag="referenced"):
    """The answer to `reference`: which one it was, and mixed units of all so far."""

    sentence: int
    units: int


class Score(Event, tag="score"):
    """How right the finals are: behind each those so far, in the end all of them against the whole reference."""

    is_final: bool
    segment: int | None
    at_ms: Milliseconds
    so_far: ScoreFigures
    reference: ReferenceCoverage
    sentences: list[SentenceErrors]
    """Those whose errors may have changed; in the end all."""
    encoder: str | None
    signature: str
    no_saer: str | UnsetType = UNSET
    """Why there is none."""


class Alive(Event, tag="alive"):
    """The answer to `keepalive`."""


class Notice(Event, tag="warning"):
    """Something is not as it should be, and goes on."""

    code: str
    message: str


class Error(Event, tag="error"):
    """Something was refused; a fatal one closes the connection."""

    code: str
    message: str
    fatal: bool
    retryable: bool
    param: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class GoAway(Event, tag="goaway"):
    """The server stops: reconnect with `resume` or anew."""

    in_ms: int
    reason: str


class Latency(Struct, forbid_unknown_fields=True):
    """Of a session; None where nothing was said."""

    first_partial_ms: int | None
    final_p50_ms: int | None
    normalized_erasure: float
    rtf: float


class End(Event, tag="end"):
    """The last event."""

    audio_ms: Milliseconds
    segments: int
    words: int
    reason: str
    latency: Latency


ServerMessage = (
    Started | Resumed | TranscriptMessage | Translation | LanguageMessage | SpeechStarted | SpeechEnded
    | EndpointMessage | Ack | Flow | Updated | Finalized | Referenced | Score | Alive | Notice | Error | GoAway | End
)  # fmt: skip

_decoder = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


class BadMessage(ValueError):
    """A text frame that is no message; says what was wrong and where."""


def parse(text: str) -> ClientMessage:
    """The message of a text frame.

    Raises:
        BadMessage: not JSON, unknown type or field, or a value out of range.
    """
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadMessage(str(error)) from error
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadMessage(f"not JSON: {error}") from error


def from_record(record: Mapping[str, Any]) -> ServerMessage:
    """The message that an event's plain data makes; it is numbered when it is sent."""
    return msgspec.convert({**record, "seq": 1}, ServerMessage)


def render(message: ServerMessage) -> str:
    """The text frame of a message."""
    return _encoder.encode(message).decode()


def tag(message: ClientMessage) -> str:
    """The `type` of a message."""
    return str(message.__struct_config__.tag)
