"""`/v1/audio/*` and `/v1/models`, compatible with OpenAI's clients.

Files are transcribed offline, and translated offline or, if streamed, as in a live session.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from fastapi import Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from serve.engine.pools import Pools
from serve.http.errors import Failure
from serve.http.uploads import UploadForm, UploadSlot, UploadSlots, receive_form
from serve.protocols.openai_stream import RULES, TranslatedFile, deltas, options_of, usage, whole
from serve.sessions.options import Facts
from serve.telemetry import Telemetry
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import probe, stream_audio
from speech.choices import PolicyName
from speech.errors import AudioError, LanguageError, SpeechError, TranslatorError
from speech.recognizer import Recognizer
from speech.stream.engine import EngineConfig
from speech.stream.options import StreamOptions
from speech.text.languages import resolve
from speech.transcript import UNDETERMINED, Transcript

_log = logging.getLogger(__name__)
_FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
_GRANULARITIES = ("word", "segment")
_SWITCHES = {"true": True, "1": True, "false": False, "0": False}
_OURS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe")
"""Model names that unmodified clients send; they select the server's model."""
_BLOCK_S = 2.0
"""Seconds of audio per block; a block with many channels at a high rate is large."""
_EVENTS = "text/event-stream"
_TEXT = {"type": "string"}
_FORM = {
    "file": {"type": "string", "format": "binary"},
    "plain": {"type": "boolean", "description": "Without capitals and punctuation."},
    "model": _TEXT,
    "response_format": {"type": "string", "enum": list(_FORMATS)},
}


def described(**fields: Any) -> dict[str, Any]:
    """OpenAPI description of a route that parses its form itself."""
    schema = {"type": "object", "required": ["file"], "properties": _FORM | fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


TRANSCRIPTION = described(
    **{
        "language": _TEXT,
        "languages[]": {"type": "array", "items": _TEXT},
        "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": list(_GRANULARITIES)}},
        "stream": {"type": "boolean"},
    }
)
TRANSLATION = described(
    to=_TEXT,
    stream={"type": "boolean", "description": "Send the translation while it is written, as server-sent events."},
    policy={"type": "string", "enum": list(PolicyName), "description": "When a streamed translation is written."},
    latency_ms={"type": "integer"},
    n={"type": "integer"},
    threshold={"type": "number"},
)


class _TooLong(AudioError):
    """The file has more audio than allowed."""


class _Gone(Exception):
    """The client has disconnected; nobody sees this error."""


class OpenAiApi:
    """The routes. Files are transcribed one at a time, beside the live sessions."""

    def __init__(self, recognizer: Recognizer, facts: Facts, telemetry: Telemetry, pools: Pools) -> None:
        self._recognizer = recognizer
        self._facts = facts
        self._telemetry = telemetry
        self._pools = pools
        self.places = UploadSlots(facts.config.max_uploads)

    async def models(self) -> dict[str, Any]:
        """List the models that a request may name."""
        model = self._facts.model
        return {"object": "list", "data": [{"id": model.id, "object": "model", "created": 0, "owned_by": "speech"}]}

    async def transcriptions(self, request: Request) -> Response:
        """Speech to text. `prompt` and `temperature` are accepted and ignored."""
        return await self._answer(request, translate=False)

    async def translations(self, request: Request) -> Response:
        """Speech in any language to text in the language `to`; default: English. With `stream` it is sent while it is
        written, which OpenAI has for transcriptions only."""
        return await self._answer(request, translate=True)

    async def _answer(self, request: Request, *, translate: bool) -> Response:
        try:
            response = await self._result(request, translate)
        except Failure as refused:
            response = refused.response()
        self._telemetry.requests.labels(str(response.status_code)).inc()
        return response

    async def _result(self, request: Request, translate: bool) -> Response:
        """Receive a form, transcribe its file and render the result. Raises Failure."""
        if translate and not self._facts.targets:
            raise self._no_target("to")
        place = self.places.take()
        try:
            form = await receive_form(request, self._facts.config.max_upload_bytes)
        except BaseException:
            place.leave()
            raise
        try:
            wanted = self._wanted(form, translate)
        except BaseException:
            form.file.close()
            place.leave()
            raise
        if isinstance(wanted, StreamOptions):
            return await self._translated(request, form, place, wanted)
        transcript = await self._transcript(request, form, place, wanted)
        if _switch(form, "stream"):
            return StreamingResponse(whole(transcript), media_type=_EVENTS)
        return _render(
            transcript, form.one("response_format", "json"), form.fields.get("timestamp_granularities[]", ())
        )

    def _wanted(self, form: UploadForm, translate: bool) -> dict[str, Any] | StreamOptions:
        """Arguments of `Recognizer.transcribe` for a form; options of a stream for a translation that is streamed.
        Raises Failure."""
        format, model = form.one("response_format", "json"), form.one("model", "")
        if format not in _FORMATS:
            text = f"response_format {format[:80]!r}; one of {', '.join(_FORMATS)}"
            raise Failure(400, "bad_format", text, "response_format")
        if model and model not in (self._facts.model.id, *_OURS):
            raise Failure(404, "model_not_found", f"there is no model {model[:80]!r}", "model")
        for name in form.fields.get("timestamp_granularities[]", ()):
            if name not in _GRANULARITIES:
                text = f"{name[:80]!r}; one of {', '.join(_GRANULARITIES)}"
                raise Failure(400, "bad_granularity", text, "timestamp_granularities[]")
        streamed = _switch(form, "stream") and translate  # the switch is checked for both
        for name in RULES:
            if name in form.fields and not streamed:
                raise Failure(400, "bad_request", f"{name} is for translations with stream=true", name)
        plain = _switch(form, "plain")
        if not translate:
            language = ",".join(form.fields.get("languages[]") or [form.one("language", "") or "auto"])
            return {"language": language, "plain": plain}
        try:
            to = resolve(form.one("to", "eng")).code
        except LanguageError:
            to = ""
        if to not in self._facts.targets:
            raise self._no_target(form.one("to", "eng"))
        return options_of(self._facts, form, to, plain=plain) if streamed else {"to": to, "plain": plain}

    def _no_target(self, to: str) -> Failure:
        targets = ", ".join(self._facts.targets)
        if not targets:
            text = "this server's model does not translate; /v1/audio/transcriptions writes what is said"
            return Failure(400, "no_translation", text, "to")
        return Failure(400, "bad_target", f"to {to[:80]!r}; this server's model translates into: {targets}", "to")

    async def _transcript(
        self, request: Request, form: UploadForm, place: UploadSlot, wanted: dict[str, Any]
    ) -> Transcript:
        """Transcribe the file of a form, then close it and free its upload slot. Raises Failure."""
        stopped = threading.Event()
        work = self._pools.files.submit(self._transcribe, form, wanted, stopped)
        work.add_done_callback(lambda _: _finished(form, place))
        done = asyncio.wrap_future(work)
        try:
            await _unless_gone(request, done)
            return done.result()
        except Failure:
            raise
        except Exception as error:
            raise _explained(error, form.name) from error
        finally:
            stopped.set()
            work.cancel()
            done.add_done_callback(_seen)

    async def _translated(
        self, request: Request, form: UploadForm, place: UploadSlot, options: StreamOptions
    ) -> Response:
        """Translate the file of a form and send what is written as it comes. Raises Failure if that fails before
        anything is written; a later error is the last event."""
        stopped, file = threading.Event(), TranslatedFile(asyncio.get_running_loop())
        work = self._pools.files.submit(self._translate, form, options, stopped, file)
        work.add_done_callback(lambda _: _finished(form, place))
        work.add_done_callback(file.put)

        def leave() -> None:
            stopped.set()
            work.cancel()

        first = asyncio.ensure_future(file.next())
        try:
            await _unless_gone(request, first)
        except BaseException:
            first.cancel()
            leave()
            raise
        item = first.result()
        if not isinstance(item, str) and (error := item.exception()) is not None:
            raise _explained(error, form.name) from error
        events = file.events(item, lambda error: _explained(error, form.name), leave)
        return StreamingResponse(events, media_type=_EVENTS)

    def _transcribe(self, form: UploadForm, wanted: dict[str, Any], stopped: threading.Event) -> Transcript:
        """Runs on a thread of the pool."""
        return self._recognizer.transcribe(self._blocks(form, stopped), **wanted)

    def _translate(
        self, form: UploadForm, options: StreamOptions, stopped: threading.Event, file: TranslatedFile
    ) -> float:
        """Runs on a thread of the pool; returns the duration in seconds."""
        engine = self._recognizer.engine(EngineConfig(int8=False))  # no first pass runs: its weights are not copied
        duration_s = 0.0
        for item in deltas(engine, self._blocks(form, stopped), options):
            if isinstance(item, str):
                file.put(item)
            else:
                duration_s = item
        return duration_s

    def _blocks(self, form: UploadForm, stopped: threading.Event) -> Iterator[np.ndarray]:
        most_s = self._facts.config.max_upload_s
        if probe(form.file).duration_s > most_s:  # the header may be wrong: count before transcribing
            for _ in _bounded(stream_audio(form.file, block_s=_BLOCK_S), most_s, stopped):
                pass
        return _bounded(stream_audio(form.file, block_s=_BLOCK_S), most_s, stopped)


def _bounded(blocks: Iterable[np.ndarray], most_s: float, stopped: threading.Event) -> Iterator[np.ndarray]:
    """Pass blocks on; raises _TooLong after `most_s` of audio, and _Gone once `stopped` is set."""
    samples = 0
    for block in blocks:
        if stopped.is_set():
            raise _Gone
        samples += len(block)
        if samples > most_s * SAMPLE_RATE:
            raise _TooLong(f"has more than {most_s:g} s of audio", fix="Cut it.")
        yield block


def _finished(form: UploadForm, place: UploadSlot) -> None:
    """Work on a file is done, or was cancelled before it started."""
    form.file.close()
    place.leave()


async def _unless_gone(request: Request, work: asyncio.Future[Any]) -> None:
    """Wait for work whose result somebody waits for. Raises Failure if the client disconnects before."""
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Failure(499, "client_closed_request", "the client has gone")
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    """Return when the client disconnects; the body of its request has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seen(done: asyncio.Future[Transcript]) -> None:
    """Retrieve the exception of an abandoned result, so that asyncio does not log it."""
    if not done.cancelled():
        done.exception()


def _explained(error: BaseException, name: str) -> Failure:
    """The answer to an error of the work on a file."""
    if isinstance(error, SpeechError):
        return _failure(error, name)
    _log.error("a file could not be transcribed: %s", name, exc_info=error)
    text = f"{name}: the recogniser failed on this file; the server's log says why"
    return Failure(500, "internal", text, "file")


def _failure(error: SpeechError, name: str) -> Failure:
    if isinstance(error, _TooLong):
        return Failure(413, "too_long", f"{name}: {error.what}", "file")
    if isinstance(error, AudioError):
        return Failure(415, "bad_audio", str(AudioError(error.what, where=name, fix=error.fix)), "file")
    if isinstance(error, LanguageError):
        return Failure(400, "bad_language", str(error), "language")
    if isinstance(error, TranslatorError):
        return Failure(502, "translation_failed", str(error))
    return Failure(400, "bad_request", str(error))


def _switch(form: UploadForm, name: str) -> bool:
    value = form.one(name, "") or "false"
    if value.lower() not in _SWITCHES:
        raise Failure(400, "bad_request", f"{name} {value[:80]!r}; true or false", name)
    return _SWITCHES[value.lower()]


def _render(transcript: Transcript, format: str, granularities: Sequence[str]) -> Response:
    if format == "text":
        return PlainTextResponse(transcript.text + "\n")
    if format == "srt":
        return PlainTextResponse(transcript.to_srt())
    if format == "vtt":
        return PlainTextResponse(transcript.to_vtt(), media_type="text/vtt")
    used = usage(transcript.duration_s)
    if format == "json":
        return JSONResponse({"text": transcript.text, "usage": used})
    silent = transcript.language == UNDETERMINED
    record: dict[str, Any] = {
        "task": "transcribe" if transcript.task == "asr" else "translate",
        "language": transcript.language if silent else resolve(transcript.language).name.lower(),
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {"id": number, "start": start_s, "end": end_s, "text": text.replace("\n", " ")}
            for number, (start_s, end_s, text) in enumerate(transcript.cues())
        ],
        "usage": used,
    }
    if transcript.toxicity is not None:
        record["toxicity"] = transcript.toxicity.to_dict()
    if "word" in granularities:
        record["words"] = [{"word": w.text, "start": w.start_s, "end": w.end_s} for w in transcript.words]
    return JSONResponse(record)
