"""Server-sent events of `/v1/audio/*`: a text in deltas, which concatenate to it, then as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import msgspec
import numpy as np

from serve.http.errors import Failure
from serve.http.uploads import UploadForm
from serve.protocols import wire
from serve.protocols.appended_text import AppendedText
from serve.sessions.options import Facts, Refused, prepare
from speech.events import Event, TranslationEvent
from speech.stream.engine import Engine
from speech.stream.options import StreamOptions
from speech.transcript import Transcript

RULES = {"policy": str, "latency_ms": int, "n": int, "threshold": float}
"""Fields of a form that say when a translation is written, and their types; see `wire.Translating`."""


class TranslatedFile:
    """The deltas of one file, handed from the thread that translates it to the event loop.

    Args:
        loop: the event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._news: asyncio.Queue[str | Future[float]] = asyncio.Queue()

    def put(self, item: str | Future[float]) -> None:
        """Take a delta, or the finished work, whose result is the duration in seconds. Thread-safe."""
        with contextlib.suppress(RuntimeError):  # the server has stopped
            self._loop.call_soon_threadsafe(self._news.put_nowait, item)

    async def next(self) -> str | Future[float]:
        """The next delta, or the finished work."""
        return await self._news.get()

    async def events(
        self, first: str | Future[float], explain: Callable[[BaseException], Failure], leave: Callable[[], object]
    ) -> AsyncIterator[str]:
        """Yield the events, from the result of the first `next` on.

        Args:
            first: see above.
            explain: converts an error behind some deltas.
            leave: called at the end, also if the client has gone.
        """
        text, item = "", first
        try:
            while isinstance(item, str):
                text += item
                yield event("transcript.text.delta", delta=item)
                item = await self.next()
            error = item.exception()
            if error is None:
                yield event("transcript.text.done", text=text, usage=usage(item.result()))
            else:
                body = msgspec.json.decode(bytes(explain(error).response().body))
                yield f"event: error\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"
        finally:
            leave()


def options_of(facts: Facts, form: UploadForm, to: str, *, plain: bool) -> StreamOptions:
    """Options of a stream that translates a file and takes nothing back.

    Args:
        facts: of the server.
        form: whose fields `RULES` may ask for a policy; default: align_att, or complete parts if `to` is not drafted.
        to: ISO 639-3 code.
        plain: without capitals and punctuation.

    Raises:
        Failure: if there is no such policy or setting, or the model does not offer it.
    """
    given = {name: form.one(name, "") for name in RULES if form.one(name, "")}
    if "policy" not in given:
        given["policy"] = "align_att" if to in facts.drafts_into else "complete"
    try:
        rules = msgspec.convert(given | {"append": True}, wire.Translating, strict=False)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$.")
        raise Failure(400, "bad_policy", f"{path.strip('`')}: {what}", path.strip("`") or None) from error
    try:
        start = wire.StartMessage(targets=[to], translation=rules, plain=plain, interim="off")
        return prepare(facts, StreamOptions(), start).options
    except Refused as refused:
        raise Failure(400, "bad_policy", refused.message, "policy") from refused


def deltas(engine: Engine, blocks: Iterable[np.ndarray], options: StreamOptions) -> Iterator[str | float]:
    """Translate blocks `(n,)` at 16 kHz: yields what is written in each, then the duration in seconds.

    Raises what the blocks and the session raise.
    """
    stream, written = engine.open(options), AppendedText()
    for block in blocks:
        yield from _added(written, stream.accept(block))
    yield from _added(written, stream.finish())
    yield stream.session.received_s


def _added(written: AppendedText, events: Iterable[Event]) -> Iterator[str]:
    for one in events:
        if isinstance(one, TranslationEvent):
            delta = written.grown(one.segment, one.text, one.target)
            if delta:
                yield delta


async def whole(transcript: Transcript) -> AsyncIterator[str]:
    """The events of a finished transcript, a delta for each subtitle cue."""
    joined = ""
    for _, _, text in transcript.cues():
        delta = ("" if not joined else " ") + text.replace("\n", " ")
        joined += delta
        yield event("transcript.text.delta", delta=delta)
    yield event("transcript.text.done", text=transcript.text, usage=usage(transcript.duration_s))


def event(kind: str, **fields: Any) -> str:
    """One server-sent event."""
    return f"data: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n"


def usage(duration_s: float) -> dict[str, Any]:
    """What a request has used, in OpenAI's format."""
    return {"type": "duration", "seconds": round(duration_s)}
