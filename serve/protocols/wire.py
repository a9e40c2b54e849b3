"""The native wire protocol, `speech.v1`: message types of both sides, parsing and rendering. Stateless.

Text frames are JSON with a `type`; binary frames are audio. All times are integer milliseconds of audio. Server
messages carry `seq`: 1, 2, 3 ... within a session, continued across reconnects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.protocols.close_codes import CloseCode as CloseCode
from serve.protocols.dialogue_messages import Conversing, DialogueEvent, DialogueRequest
from serve.protocols.interpreting_messages import Interpreting, TranslationAudio
from serve.protocols.message_base import Event, Milliseconds
from serve.protocols.message_base import Frame as Frame
from serve.protocols.option_messages import Endpointing as Endpointing
from serve.protocols.option_messages import Translating as Translating
from serve.protocols.score_messages import Reference, ReferenceCoverage, ReferenceText, ScoreFigures, SentenceErrors

SUBPROTOCOL = "speech.v1"

Codes = Annotated[list[str], Meta(max_length=64)]


# Client messages


class AudioParams(Struct, forbid_unknown_fields=True):
    """Audio format of the binary frames."""

    encoding: Literal["pcm_s16le", "pcm_f32le", "mulaw", "alaw", "opus", "ogg_opus", "webm_opus", "auto"] = "pcm_s16le"
    sample_rate: Annotated[int, Meta(ge=8000, le=48000)] = 16000
    channels: Annotated[int, Meta(ge=1, le=2)] = 1


class Options(Struct, kw_only=True, forbid_unknown_fields=True):
    """Options of a session; `update` changes only those that it contains."""

    languages: Codes | UnsetType = UNSET
    """Languages that may be spoken, as codes or names; empty: any that the model knows."""
    targets: Codes | UnsetType = UNSET
    """Languages to translate into."""
    translation: Translating | UnsetType = UNSET
    phrases: list[str] | UnsetType = UNSET
    """Phrases to boost, such as names, up to 1,000; "^2" at the end of one doubles its boost."""
    endpointing: Endpointing | UnsetType = UNSET
    plain: bool | UnsetType = UNSET
    """Whether texts have no capitals and punctuation."""
    nbest: Annotated[int, Meta(ge=1, le=10)] | UnsetType = UNSET
    """Number of most likely texts of each final, listed in `alternatives`."""
    interim: Literal["revisable", "append", "off"] | UnsetType = UNSET
    """revisable: partial transcripts may change after `stable` words; append: only stable text, as `delta`; off: no
    partial transcripts."""
    interpret: Interpreting | UnsetType | None = UNSET
    """Say a translation while the speaker goes on; null: only write it."""


class StartMessage(Options, tag="start"):
    """First message of a session; optional if the defaults suffice."""

    model: str | None = None
    audio: AudioParams = msgspec.field(default_factory=AudioParams)
    words: bool = True
    """Whether transcripts list their words."""
    vad_events: bool = True
    """Whether `speech_started` and `speech_ended` are sent."""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    reference: ReferenceText | str | None = None
    """Reference text for `score`; `reference` messages may add to it."""
    dialogue: Conversing | None = None
    """Answer aloud; null: only recognise."""


class Update(Options, tag="update"):
    """Changes options from the current segment on: all of those given, or none."""


class Finalize(Struct, tag="finalize", forbid_unknown_fields=True):
    """Asks for finals of all audio sent so far; the stream goes on."""

    id: Annotated[str, Meta(max_length=64)] | None = None


class KeepAlive(Struct, tag="keepalive", forbid_unknown_fields=True):
    """Shows that the client is alive; audio time does not advance."""


class Resume(Struct, tag="resume", forbid_unknown_fields=True):
    """Replaces `start`: resumes a session whose connection broke."""

    session: str
    token: str
    last_seq: Annotated[int, Meta(ge=0)] = 0


class Stop(Struct, tag="stop", forbid_unknown_fields=True):
    """Ends the audio: the last finals and `end` follow, then the connection closes."""


ClientMessage = StartMessage | Update | Finalize | KeepAlive | Resume | Stop | Reference | DialogueRequest


# Server messages


class WordInfo(Struct, forbid_unknown_fields=True):
    """A word, or a character in languages written without spaces."""

    text: str
    start_ms: Milliseconds
    end_ms: Milliseconds
    conf: Annotated[float, Meta(ge=0, le=1)]
    lang: str | None


class AlternativeText(Struct, forbid_unknown_fields=True):
    """One of the most likely texts of a segment."""

    text: str
    confidence: Annotated[float, Meta(ge=0, le=1)]


class LanguageShare(Struct, forbid_unknown_fields=True):
    """Share of one language in the words of a segment."""

    code: str
    share: float


class ServerLimits(Struct, forbid_unknown_fields=True):
    """Limits of this server."""

    max_message_bytes: int
    max_lead_ms: int
    idle_timeout_ms: int
    max_session_ms: int
    max_reference_letters: int


class ModelInfo(Struct, forbid_unknown_fields=True):
    """The model of this server."""

    id: str
    sha256: str


class Started(Event, tag="started"):
    """The session has started."""

    session: str
    resume_token: str
    resume_ttl_ms: int
    protocol: str
    server: str
    model: ModelInfo
    live: Literal["chunks", "parts"]
    """Source of partial transcripts: chunks of audio, or the current part, decoded again at most once per second."""
    audio: AudioParams
    languages: list[str]
    policies: list[str]
    """Policies that `translation` may name; `emma` if one was trained for the model."""
    limits: ServerLimits


class Resumed(Event, tag="resumed"):
    """The session has resumed: send audio again from byte `received_bytes`; missed messages follow."""

    session: str
    resume_token: str
    received_bytes: int
    next_seq: int


class TranscriptMessage(Event, tag="transcript"):
    """The text of a segment so far. The first `stable` words never change; with `append` they come as `delta`."""

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
    """Finals only: decoder, if a label decoder wrote the whole text, otherwise ctc."""
    alternatives: list[AlternativeText] | UnsetType = UNSET
    """Finals with `nbest` only: the most likely texts, best first; the first one is `text`."""


class AddedToxicity(Struct, forbid_unknown_fields=True):
    """Listed words that a translation has added."""

    found: list[str]
    """Entries of the server's list."""
    removed: bool
    """Whether all were replaced; otherwise the text has some, since none without was found."""


class Translation(Event, tag="translation"):
    """The translation of a segment so far."""

    segment: int
    target: str
    is_final: bool
    text: str
    stable: int
    """Leading words that later messages neither change nor remove."""
    source: Annotated[list[int], Meta(min_length=2, max_length=2)]
    audio_ms: Milliseconds
    lag_ms: Milliseconds
    words: list[WordInfo] | UnsetType = UNSET
    """With the times of the speech that they translate."""
    skipped: int | UnsetType = UNSET
    """Drafts of the session that an overloaded server has left out so far; unset: none."""
    toxicity: AddedToxicity | UnsetType = UNSET
    """Toxic words that the translation has added so far, if the server looks for them."""


class LanguageMessage(Event, tag="language"):
    """The speaker switched to another language, or the first language became certain."""

    at_ms: Milliseconds
    from_: str | None = msgspec.field(name="from")
    to: str
    conf: float


class SpeechStarted(Event, tag="speech_started"):
    """Speech has started."""

    at_ms: Milliseconds


class SpeechEnded(Event, tag="speech_ended"):
    """Speech has ended."""

    at_ms: Milliseconds


class EndpointMessage(Event, tag="endpoint"):
    """A segment with speech has ended; the decision came `latency_ms` after the end of speech."""

    at_ms: Milliseconds
    reason: str
    latency_ms: int


class Ack(Event, tag="ack"):
    """Audio received so far, which the client need not keep for a resume."""

    received_bytes: int
    processed_ms: Milliseconds
    lag_ms: Milliseconds


class Flow(Event, tag="flow"):
    """Audio arrives faster than it is processed: pause sending, or resume it."""

    state: Literal["pause", "resume"]
    lead_ms: Milliseconds
    max_lead_ms: int


class Updated(Event, tag="updated"):
    """The options of `update` apply from here on."""

    from_ms: Milliseconds


class Finalized(Event, tag="finalized"):
    """The finals that `finalize` asked for have been sent."""

    id: str | None
    at_ms: Milliseconds


class Referenced(Event, tag="referenced"):
    """The answer to `reference`: the number of the sentence, and the mixed units of the whole reference so far."""

    sentence: int
    units: int


class Score(Event, tag="score"):
    """Error rates of the finals: after each final of those so far, at the end of all against the whole reference."""

    is_final: bool
    segment: int | None
    at_ms: Milliseconds
    so_far: ScoreFigures
    reference: ReferenceCoverage
    sentences: list[SentenceErrors]
    """Sentences whose errors may have changed; all sentences in the last score."""
    encoder: str | None
    signature: str
    no_saer: str | UnsetType = UNSET
    """Why `saer` is null."""


class Alive(Event, tag="alive"):
    """The answer to `keepalive`."""


class Notice(Event, tag="warning"):
    """Something is wrong, but the session goes on."""

    code: str
    message: str


class Error(Event, tag="error"):
    """Something was refused or failed; a fatal error closes the connection."""

    code: str
    message: str
    fatal: bool
    retryable: bool
    param: str | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class GoAway(Event, tag="goaway"):
    """The server is about to stop: reconnect with `resume`, or start anew."""

    in_ms: int
    reason: str


class Latency(Struct, forbid_unknown_fields=True):
    """Latency statistics of a session; delays are null if there was nothing to measure."""

    first_partial_ms: int | None
    final_p50_ms: int | None
    normalized_erasure: float
    rtf: float


class End(Event, tag="end"):
    """The last message of a session."""

    audio_ms: Milliseconds
    segments: int
    words: int
    reason: str
    latency: Latency


ServerMessage = (
    Started | Resumed | TranscriptMessage | Translation | LanguageMessage | SpeechStarted | SpeechEnded
    | EndpointMessage | Ack | Flow | Updated | Finalized | Referenced | Score | Alive | Notice | Error | GoAway | End
    | TranslationAudio | DialogueEvent
)  # fmt: skip

_decoder = msgspec.json.Decoder(ClientMessage)
_encoder = msgspec.json.Encoder()


class BadMessage(ValueError):
    """An invalid text frame; says what is wrong and where."""


def parse(text: str) -> ClientMessage:
    """Parse a text frame.

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
    """Build a message from the dictionary of an event; the outbox numbers it later."""
    return msgspec.convert({**record, "seq": 1}, ServerMessage)


def render(message: ServerMessage) -> str:
    """Render a message as a text frame."""
    return _encoder.encode(message).decode()


def tag(message: ClientMessage) -> str:
    """The `type` of a message."""
    return str(message.__struct_config__.tag)
