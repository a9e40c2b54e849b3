"""`/vosk`: the protocol of vosk-server, used in telephony (Asterisk, FreeSWITCH, Jigasi).

Clients send a message and wait for exactly one reply. The adapter therefore sends an empty `update` after each audio
message: the session answers it once that audio is processed, and its answer triggers the reply.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from serve.net.websocket import Reply
from serve.protocols import wire
from serve.sessions.options import Refused
from speech.recognize.alternatives import chained
from speech.recognize.request import MOST_TEXTS

_SAMPLE_RATE = 8000
"""Default of vosk-server."""


class _Config(Struct):
    """Supported fields of `config`; a phrase list and another model are ignored."""

    sample_rate: float | None = None
    words: Any = True
    max_alternatives: int = 0
    """If above 0, results are lists of this many texts."""
    plain: bool | None = None


class _Message(Struct):
    config: _Config | None = None
    eof: Any = 0
    reset: Any = 0


class Vosk:
    """16-bit mono PCM in; one `partial` or `text` out for each message. Timestamps of words are in seconds.

    Args:
        query: parameters of the URL: `languages` (comma-separated codes), `sample_rate` and `plain`; `config` overrides
            the last two. Texts have no capitals and punctuation, as in vosk-server, unless `plain` is false.
        max_json: maximum length of a text message in characters.
    """

    resumable = False

    def __init__(self, query: Mapping[str, str], max_json: int) -> None:
        self._query, self._max_json = query, max_json
        self._begun = False
        self._words = True
        self._alternatives = 0
        self._partial = ""
        self._finals: list[wire.TranscriptMessage] = []

    def greet(self) -> list[wire.Frame]:
        """No frames: the client sends first."""
        return []

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes | Reply]:
        """Convert a frame into messages.

        Raises:
            Refused: the text is invalid or too long, or the first `config` or the URL has a wrong value.
        """
        if isinstance(frame, bytes):
            audio = [frame] if frame else []  # here an empty message does not end the audio
            return [*self._opening(_Config()), *audio, wire.Update()]
        if len(frame) > self._max_json:
            text = f"a text message of {len(frame)} characters, at most {self._max_json}"
            raise Refused("too_big", text, wire.CloseCode.too_big)
        try:
            message = msgspec.convert(msgspec.json.decode(frame), _Message, strict=False)
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
            raise Refused("bad_message", str(error), None) from error
        config = message.config or _Config(words=self._words)
        self._words = bool(config.words)
        messages = self._opening(config)
        if message.eof:
            messages.append(wire.Stop())
        elif message.reset:
            messages.append(wire.Finalize())
        return messages

    def outgoing(self, message: wire.ServerMessage) -> list[wire.Frame]:
        """The reply that a message triggers, if any."""
        if isinstance(message, wire.TranscriptMessage):
            self._take(message)
        elif isinstance(message, wire.Updated):
            return [self._result() if self._finals else _render({"partial": self._partial})]
        elif isinstance(message, wire.Finalized | wire.End):
            return [self._result()]
        elif isinstance(message, wire.Error) and message.code != "after_stop":
            return [_render({"text": "", "error": message.message})]
        return []

    def _opening(self, config: _Config) -> list[wire.ClientMessage | bytes | Reply]:
        if self._begun:
            return []
        rate = config.sample_rate or self._query.get("sample_rate", _SAMPLE_RATE)
        languages = self._query.get("languages")
        plain = self._query.get("plain", True) if config.plain is None else config.plain
        self._alternatives = min(max(config.max_alternatives, 0), MOST_TEXTS)
        nbest = max(self._alternatives, 1)
        record = {"audio": {"sample_rate": rate}, "vad_events": False, "plain": plain, "nbest": nbest}
        try:
            start = msgspec.convert(record, wire.StartMessage, strict=False)
        except msgspec.ValidationError as error:
            param = "plain" if "plain" in str(error) else "sample_rate"
            raise Refused("bad_config", str(error), wire.CloseCode.bad_config, param) from error
        if languages:
            start.languages = languages.split(",")
        self._begun = True
        return [start]

    def _take(self, message: wire.TranscriptMessage) -> None:
        if message.is_final:
            self._finals.append(message)
            self._partial = ""
        else:
            self._partial = message.text or ""

    def _result(self) -> str:
        """All finals since the last result as one result; there may be none, or several after a long message."""
        record: dict[str, Any] = {"text": " ".join(final.text for final in self._finals if final.text)}
        words = [word for final in self._finals for word in final.words or []]
        if self._words and words:
            record["result"] = [
                {"conf": word.conf, "end": word.end_ms / 1000, "start": word.start_ms / 1000, "word": word.text}
                for word in words
            ]
        if self._alternatives:
            record = self._several(record.get("result", []))
        self._finals.clear()
        return _render(record)

    def _several(self, words: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The finals as a list of alternatives, as in vosk-server; only the first has words."""
        texts = [
            [(one.text, one.confidence) for one in final.alternatives or []] or [(final.text or "", 1.0)]
            for final in self._finals
        ]
        found = chained(texts, self._alternatives)
        listed: list[dict[str, Any]] = [
            {"confidence": chance, "text": " ".join(filter(None, said))} for said, chance in found
        ]
        if words:
            listed[0]["result"] = words
        return {"alternatives": listed}


def _render(record: dict[str, Any]) -> str:
    return msgspec.json.encode(record).decode()
