"""`/v1/listen`: Deepgram's live protocol, as far as this server supports its features.

Differences: without `language` any language may be spoken, without `endpointing` a pause of half a second ends an
utterance, and without `punctuate` texts are as the model writes them; `punctuate=false` asks for plain text, unless
`smart_format=true` overrides it. As in Deepgram, complete parts of a long utterance are final results of their own.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from statistics import fmean
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.sessions.options import Refused
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.transcript import Word, join

_ENCODINGS = {
    "": ("auto", 16_000),
    "linear16": ("pcm_s16le", 16_000),
    "linear32": ("pcm_f32le", 16_000),
    "mulaw": ("mulaw", 8000),
    "alaw": ("alaw", 8000),
    "opus": ("opus", 48_000),
    "ogg-opus": ("ogg_opus", 48_000),
}
"""Deepgram's encoding: ours, and the default sample rate in Hz."""
_CHANNEL = [0, 1]
_SHORTEST_MS, _LONGEST_MS = 100, 5000
_MOST_BOOST = 2.0


class _Query(Struct):
    """Supported parameters of the URL."""

    encoding: str = ""
    sample_rate: int | None = None
    channels: int = 1
    multichannel: bool = False
    language: list[str] = msgspec.field(default_factory=list)
    language_hint: list[str] = msgspec.field(default_factory=list)
    keyterm: list[str] = msgspec.field(default_factory=list)
    keywords: list[str] = msgspec.field(default_factory=list)
    interim_results: bool = False
    endpointing: str = "true"
    utterance_end_ms: Annotated[int, Meta(ge=1)] | None = None
    vad_events: bool = False
    punctuate: bool | None = None
    smart_format: bool = False
    alternatives: Annotated[int, Meta(ge=1, le=10)] = 1


class _KeepAliveMessage(Struct, tag="KeepAlive"):
    pass


class _FinalizeMessage(Struct, tag="Finalize"):
    pass


class _CloseStream(Struct, tag="CloseStream"):
    pass


class _Configure(Struct, tag="Configure"):
    """`keyterms` is Deepgram's (`features` is ignored); the other fields are extensions, named as in the URL."""

    keyterms: list[str] | UnsetType | None = UNSET
    language: str | list[str] | UnsetType = UNSET
    interim_results: bool | UnsetType = UNSET
    endpointing: int | bool | UnsetType = UNSET
    punctuate: bool | UnsetType = UNSET


_controls = msgspec.json.Decoder(_KeepAliveMessage | _FinalizeMessage | _CloseStream | _Configure)


class Deepgram:
    """Adapter of a session that the URL configures and the first frame opens. Times are seconds of audio.

    Args:
        query: parameters of the URL; unknown ones and `model` are ignored.
        max_json: maximum length of a text message in characters.
    """

    resumable = False

    def __init__(self, query: Sequence[tuple[str, str]], max_json: int) -> None:
        self._pairs, self._max_json = query, max_json
        self._query: _Query | None = None
        self._request = str(uuid.uuid4())
        self._created = datetime.now(UTC)
        self._received = hashlib.sha256()
        self._metadata: dict[str, Any] = {}
        self._given = 0  # words of the segment already sent in final results
        self._given_ms = 0  # end of the last final result in the stream
        self._flushed = False
        self._last_word_ms: int | None = None  # end of the last word, if it is final

    def greet(self) -> list[wire.Frame]:
        """No frames: the client sends first."""
        return []

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes | Reply]:
        """Convert a frame into messages.

        Raises:
            Refused: a parameter of the URL is wrong, or a text message is too long.
        """
        opening: list[wire.ClientMessage | bytes | Reply] = []
        if self._query is None:
            self._query = _parse(self._pairs)
            opening.append(_start(self._query))
        if isinstance(frame, bytes):
            self._received.update(frame)
            return [*opening, frame]
        if len(frame) > self._max_json:
            text = f"a text message of {len(frame)} characters, at most {self._max_json}"
            raise Refused("too_big", text, wire.CloseCode.too_big)
        return [*opening, self._control(frame)]

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """Convert a message into frames."""
        records = self._utterance_end(message)
        if isinstance(message, wire.Started):
            self._started(message)
        elif isinstance(message, wire.TranscriptMessage):
            records += self._results(message)
        elif isinstance(message, wire.SpeechStarted):
            records.append({"type": "SpeechStarted", "channel": _CHANNEL, "timestamp": message.at_ms / 1000})
        elif isinstance(message, wire.Finalized):
            if not self._flushed:  # clients wait for this result
                records.append(self._result([], message.at_ms, True, True, from_finalize=True))
            self._flushed = False
        elif isinstance(message, wire.Updated):
            records.append({"type": "ConfigureSuccess", "request_id": self._request})
        elif isinstance(message, wire.End):
            records.append(self._end(message))
        elif isinstance(message, wire.Error) and message.code != "after_stop":
            records.append(self._error(message))
        return [_render(record) for record in records]

    def _control(self, text: str) -> wire.ClientMessage | Reply:
        try:
            control = _controls.decode(text)
            if isinstance(control, _KeepAliveMessage):
                return wire.KeepAlive()
            if isinstance(control, _FinalizeMessage):
                return wire.Finalize()
            if isinstance(control, _CloseStream):
                return wire.Stop()
            update = _update(control)
            if self._query is not None and update.interim is not UNSET:
                self._query.interim_results = update.interim != "off"
            return update
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError, Refused) as error:
            what = error.message if isinstance(error, Refused) else str(error)
            said = text.encode(errors="replace").decode()
            return Reply(_render({"type": "Error", "variant": "SchemaError", "description": what, "message": said}))

    def _started(self, message: wire.Started) -> None:
        name, version = message.model.id, message.server.rpartition(" ")[2]
        self._metadata = {
            "request_id": self._request,
            "model_info": {"name": name, "version": version, "arch": "speech"},
            "model_uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, message.model.sha256)),
        }

    def _results(self, message: wire.TranscriptMessage) -> list[dict[str, Any]]:
        """Results for the words that have become final since the last one, and for those that may change."""
        assert self._query is not None
        words, records = message.words or [], []
        frozen = len(words) if message.is_final else message.stable
        if message.is_final:
            self._flushed |= message.reason == "client"
            rest = words[self._given :]
            others = (message.alternatives or []) if not self._given else []  # alternatives cover the whole segment
            spoken = message.reason != "max_length"
            result = self._result(rest, message.audio_ms, True, spoken, from_finalize=message.reason == "client")
            result["channel"]["alternatives"] += [_other(one) for one in others[1:]]
            records.append(result)
        elif frozen > self._given:
            until_ms = message.audio_ms if frozen == len(words) else words[frozen - 1].end_ms
            records.append(self._result(words[self._given : frozen], until_ms, True, False))
        if words[frozen:] and self._query.interim_results:
            records.append(self._result(words[frozen:], message.audio_ms, False, False))
        self._given = 0 if message.is_final else max(frozen, self._given)
        if words:
            self._last_word_ms = None if words[frozen:] else words[-1].end_ms
        return records

    def _result(
        self,
        words: Sequence[wire.WordInfo],
        until_ms: int,
        final: bool,
        speech_final: bool,
        from_finalize: bool = False,
    ) -> dict[str, Any]:
        """One `Results` message, from the end of the last final one to `until_ms`."""
        start_ms = self._given_ms
        if final:
            self._given_ms = max(until_ms, start_ms)
        return {
            "type": "Results",
            "channel_index": _CHANNEL,
            "duration": max(until_ms - start_ms, 0) / 1000,
            "start": start_ms / 1000,
            "is_final": final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [_alternative(words)]},
            "metadata": self._metadata,
        }

    def _utterance_end(self, message: wire.ServerMessage) -> list[dict[str, Any]]:
        """An `UtteranceEnd` if the message shows that the last final word is at least `utterance_end_ms` ago."""
        wanted = self._query.utterance_end_ms if self._query is not None else None
        quiet_ms = _quiet_until_ms(message, self._given)
        if wanted is None or self._last_word_ms is None or quiet_ms - self._last_word_ms < wanted:
            return []
        last_ms, self._last_word_ms = self._last_word_ms, None
        return [{"type": "UtteranceEnd", "channel": _CHANNEL, "last_word_end": last_ms / 1000}]

    def _end(self, message: wire.End) -> dict[str, Any]:
        return {
            "type": "Metadata",
            "transaction_key": "deprecated",
            "request_id": self._request,
            "sha256": self._received.hexdigest(),
            "created": self._created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration": message.audio_ms / 1000,
            "channels": 1,
        }

    def _error(self, message: wire.Error) -> dict[str, Any]:
        if not message.fatal and message.param is not UNSET:
            return self._failure("CONFIGURE_INTERNAL_ERROR", message.message)
        return {"type": "Error", "variant": message.code, "description": message.message}

    def _failure(self, code: str, description: str) -> dict[str, Any]:
        return {"type": "ConfigureFailure", "request_id": self._request, "code": code, "description": description}


def _parse(pairs: Sequence[tuple[str, str]]) -> _Query:
    """Parse the parameters of the URL. Raises Refused."""
    record: dict[str, Any] = {"language": [], "language_hint": [], "keyterm": [], "keywords": []}
    for key, value in pairs:
        if key in ("keyterm", "keywords"):
            record[key].append(value)
        elif key in ("language", "language_hint"):
            record[key] += value.split(",")
        else:
            record[key] = value
    try:
        return msgspec.convert(record, _Query, strict=False)
    except msgspec.ValidationError as error:
        raise Refused("bad_config", f"query: {error}", wire.CloseCode.bad_config) from error


def _start(query: _Query) -> wire.StartMessage:
    """Build the `start` of a session. Raises Refused."""
    if query.encoding not in _ENCODINGS:
        text = f"encoding {query.encoding!r}; one of {', '.join(filter(None, _ENCODINGS))}"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "encoding")
    if query.multichannel and query.channels > 1:
        text = "channels cannot be transcribed apart; without multichannel they are mixed"
        raise Refused("bad_config", text, wire.CloseCode.bad_config, "multichannel")
    encoding, usual_hz = _ENCODINGS[query.encoding]
    audio = {"encoding": encoding, "sample_rate": query.sample_rate or usual_hz, "channels": query.channels}
    try:
        params = msgspec.convert(audio, wire.AudioParams)
    except msgspec.ValidationError as error:
        raise Refused("bad_config", f"query: {error}", wire.CloseCode.bad_config) from error
    return wire.StartMessage(
        audio=params,
        languages=_languages(query.language) or _languages(query.language_hint),
        endpointing=_endpointing(query.endpointing),
        interim="revisable" if query.interim_results else "off",
        vad_events=query.vad_events,
        phrases=[*query.keyterm, *filter(None, map(_keyword, query.keywords))],
        plain=query.punctuate is False and not query.smart_format,
        nbest=query.alternatives,
    )


def _update(control: _Configure) -> wire.Update:
    """Convert `Configure` into an `update`. Raises Refused."""
    update = wire.Update()
    if control.keyterms is not UNSET:
        update.phrases = control.keyterms or []
    if control.language is not UNSET:
        given = control.language
        update.languages = _languages(given.split(",") if isinstance(given, str) else given)
    if control.interim_results is not UNSET:
        update.interim = "revisable" if control.interim_results else "off"
    if control.punctuate is not UNSET:
        update.plain = not control.punctuate
    if control.endpointing is not UNSET:
        update.endpointing = _endpointing(str(control.endpointing))
    return update


def _keyword(text: str) -> str:
    """Convert a keyword, "word" or "word:2" with an intensifier, into a phrase; "" if it asks for a lower weight.

    Deepgram's intensifiers are exponents of a probability. Ours are nats per letter, of which more than two do harm.
    """
    word, _, intensifier = text.rpartition(":")
    if not word:
        return text
    try:
        boost = min(float(intensifier), _MOST_BOOST)
    except ValueError:
        return text
    return f"{word}^{boost:g}" if boost > 0 else ""


def _languages(names: Sequence[str]) -> list[str]:
    return [name for name in names if name and name != "multi"]


def _endpointing(text: str) -> wire.Endpointing:
    """Parse `true`, `false` or milliseconds, clipped to the supported range. Raises Refused."""
    if text.lower() in ("true", "false"):
        return wire.Endpointing(mode="auto" if text.lower() == "true" else "off")
    if not text.isdecimal():
        what = f"endpointing {text!r}: false or milliseconds"
        raise Refused("bad_config", what, wire.CloseCode.bad_config, "endpointing")
    return wire.Endpointing(silence_ms=min(max(int(text[:9]), _SHORTEST_MS), _LONGEST_MS))


def _alternative(words: Sequence[wire.WordInfo]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for word in words:
        if word.lang is not None:
            counts[_tag(word.lang)] = counts.get(_tag(word.lang), 0) + 1
    return {
        "transcript": join([Word(w.text, w.start_ms / 1000, w.end_ms / 1000, w.conf, w.lang) for w in words]),
        "confidence": round(fmean(word.conf for word in words), 4) if words else 0.0,
        "words": [_word(word) for word in words],
        "languages": sorted(counts, key=lambda tag: -counts[tag]),
    }


def _other(one: wire.AlternativeText) -> dict[str, Any]:
    """A less likely text, without words and timestamps."""
    return {"transcript": one.text, "confidence": one.confidence, "words": []}


def _word(word: wire.WordInfo) -> dict[str, Any]:
    record = {
        "word": plain_text(word.text) or word.text,
        "start": word.start_ms / 1000,
        "end": word.end_ms / 1000,
        "confidence": word.conf,
        "punctuated_word": word.text,
    }
    return record if word.lang is None else {**record, "language": _tag(word.lang)}


def _tag(code: str) -> str:
    """BCP 47 tag: the two-letter code if there is one."""
    return LANGUAGES[code].alpha2 or code


def _quiet_until_ms(message: wire.ServerMessage, given: int) -> int:
    """Time up to which a message shows that no word follows the `given` ones; 0 if it shows nothing."""
    if isinstance(message, wire.TranscriptMessage):
        fresh = (message.words or [])[given:]
        return fresh[0].start_ms if fresh else message.audio_ms
    if isinstance(message, wire.Ack):
        return message.processed_ms
    return message.audio_ms if isinstance(message, wire.End) else 0


def _render(record: dict[str, Any]) -> str:
    return msgspec.json.encode(record).decode()
