"""`/v1/audio/*` and `/v1/models` as OpenAI's clients expect them, on the offline path."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import File, Form, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from serve.options import Facts
from serve.pools import Pools, run
from serve.telemetry import Telemetry
from speech.audio.io import load_audio
from speech.errors import AudioError, LanguageError, SpeechError
from speech.recognizer import Recognizer
from speech.text.languages import resolve
from speech.transcript import Transcript

_FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
_OURS = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe")
"""Model names that unmodified clients send; they get the server's model."""


def failure(status: int, message: str, code: str, param: str | None = None) -> JSONResponse:
    """An error as OpenAI's clients read it."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    return JSONResponse(body, status, headers={"Retry-After": "5"} if status in (429, 503) else {})


class OpenAiApi:
    """The routes. One file is recognised at a time; live sessions go on meanwhile."""

    def __init__(self, recognizer: Recognizer, facts: Facts, telemetry: Telemetry, pools: Pools) -> None:
        self._recognizer = recognizer
        self._pools = pools
        self._facts = facts
        self._telemetry = telemetry
        self._turn = asyncio.Semaphore(1)

    async def models(self) -> dict[str, Any]:
        """What can be named as `model`."""
        model = self._facts.model
        return {"object": "list", "data": [{"id": model.id, "object": "model", "created": 0, "owned_by": "speech"}]}

    async def transcriptions(
        self,
        file: Annotated[UploadFile, File()],
        model: Annotated[str, Form()] = "",
        language: Annotated[str, Form()] = "auto",
        languages: Annotated[list[str] | None, Form(alias="languages[]")] = None,
        response_format: Annotated[str, Form()] = "json",
        granularities: Annotated[list[str] | None, Form(alias="timestamp_granularities[]")] = None,
        stream: Annotated[bool, Form()] = False,
    ) -> Response:
        """Speech to text. `prompt` and `temperature` are taken and mean nothing here."""
        return await self._answer(
            file, model, ",".join(languages or [language]), None, response_format, granularities or [], stream
        )

    async def translations(
        self,
        file: Annotated[UploadFile, File()],
        model: Annotated[str, Form()] = "",
        to: Annotated[str, Form()] = "eng",
        response_format: Annotated[str, Form()] = "json",
    ) -> Response:
        """Speech in any language to English text; `to` names another language."""
        return await self._answer(file, model, "auto", to, response_format, [], False)

    async def _answer(
        self, file: UploadFile, model: str, language: str, to: str | None, format: str, granularities: list[str],
        stream: bool,
    ) -> Response:  # fmt: skip
        response = await self._result(file, model, language, to, format, granularities, stream)
        self._telemetry.requests.labels(str(response.status_code)).inc()
        return response

    async def _result(
        self, file: UploadFile, model: str, language: str, to: str | None, format: str, granularities: list[str],
        stream: bool,
    ) -> Response:  # fmt: skip
        if format not in _FORMATS:
            return failure(
                400, f"response_format {format!r}; one of {', '.join(_FORMATS)}", "bad_format", "response_format"
            )
        if model and model not in (self._facts.model.id, *_OURS):
            return failure(404, f"there is no model {model!r}", "model_not_found", "model")
        limit = self._facts.config.max_upload_bytes
        data = await file.read(limit + 1)
        if len(data) > limit:
            return failure(413, f"the file is larger than {limit} bytes", "too_large", "file")
        try:
            async with self._turn:
                transcript = await run(self._pools.files, self._transcribe, data, language, to)
        except AudioError as error:
            return failure(415, f"{file.filename}: {error.what}", "bad_audio", "file")
        except LanguageError as error:
            return failure(400, str(error), "bad_language", "language")
        except SpeechError as error:
            return failure(400, str(error), "bad_request")
        if stream:
            return StreamingResponse(_sse(transcript), media_type="text/event-stream")
        return _render(transcript, format, granularities)

    def _transcribe(self, data: bytes, language: str, to: str | None) -> Transcript:
        return self._recognizer.transcribe(load_audio(data), language=language, to=to)


def _render(transcript: Transcript, format: str, granularities: list[str]) -> Response:
    if format == "text":
        return PlainTextResponse(transcript.text + "\n")
    if format == "srt":
        return PlainTextResponse(transcript.to_srt())
    if format == "vtt":
        return PlainTextResponse(transcript.to_vtt(), media_type="text/vtt")
    usage = {"type": "duration", "seconds": round(transcript.duration_s)}
    if format == "json":
        return JSONResponse({"text": transcript.text, "usage": usage})
    record: dict[str, Any] = {
        "task": "transcribe" if transcript.task == "asr" else "translate",
        "language": resolve(transcript.language).name.lower(),
        "duration": transcript.duration_s,
        "text": transcript.text,
        "segments": [
            {"id": number, "start": start_s, "end": end_s, "text": text.replace("\n", " ")}
            for number, (start_s, end_s, text) in enumerate(transcript.cues())
        ],
        "usage": usage,
    }
    if "word" in granularities:
        record["words"] = [{"word": w.text, "start": w.start_s, "end": w.end_s} for w in transcript.words]
    return JSONResponse(record)


async def _sse(transcript: Transcript) -> AsyncIterator[str]:
    """The text in the pieces of its subtitles, then whole."""
    joined = ""
    for _, _, text in transcript.cues():
        delta = ("" if not joined else " ") + text.replace("\n", " ")
        joined += delta
        yield _event("transcript.text.delta", delta=delta)
    usage = {"type": "duration", "seconds": round(transcript.duration_s)}
    yield _event("transcript.text.done", text=transcript.text, usage=usage)


def _event(kind: str, **fields: Any) -> str:
    return f"data: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n"
