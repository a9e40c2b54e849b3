"""`/vosk`: the protocol of vosk-server, which telephony speaks (Asterisk, FreeSWITCH, Jigasi).

Its clients send a message and wait for its one reply, so every message with audio is followed by an empty `update`:
that is answered once the audio before it has been worked on, and its answer is the moment for the reply.
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
"""Of vosk-server, where a client says nothing else."""


class _Config(Struct):
    """What is heeded of `config`; a phrase list and another model cannot be had."""

    sample_rate: float | None = None
    words: Any = True
    max_alternatives: int = 0
    """More than 0: results are lists of so many texts."""
    plain: bool | None = None


class _Message(Struct):
    config: _Config | None = None
    eof: Any = 0
    reset: Any = 0


class Vosk:
    """16-bit mono PCM in; `partial` or `text` out, one for each message. Words have times in seconds.

    Args:
        query: of the address: `languages` (codes with commas between), `sample_rate` and `plain`, which `config`
            overrides. Texts are without capitals and punctuation, as those of vosk-server, unless `plain` is false.
        max_json: longest text message in characters.
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
        """The client speaks first."""
        return []

    def incoming(self, frame: wire.Frame) -> list[wire.ClientMessage | bytes | Reply]:
        """The messages that a frame stands for.

        Raises:
            Refused: a text that is none, or too long; the first `config` or the address are wrong.
        """
        if isinstance(frame, bytes):
            audio = [frame] if frame else []  # no audio is not the end here
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
        """The reply that a message completes, if it does."""
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
        """The finals since the last result as one; there may be none, or several where a message was long."""
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
        """The finals as vosk-server lists alternatives; only the first has words."""
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
