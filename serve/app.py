"""The server: one port for all protocols. Only routes are here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from fastapi import FastAPI, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from starlette.websockets import WebSocketDisconnect

from serve.config import ServeConfig
from serve.engine.cores import pools_for, readers_for
from serve.engine.heap import one_arena
from serve.engine.pools import Pools
from serve.engine.warm_up import warm_up
from serve.engine.worker import EngineWorker
from serve.http.adapters import LiveAdapters
from serve.http.errors import on_http_exception, on_validation_error
from serve.http.middleware import AccessMiddleware
from serve.http.voices import CLONING, LiveVoices, kept_voices
from serve.net.auth import Authenticator, Denial, subprotocols
from serve.net.speaking import serve_speaking
from serve.net.websocket import ProtocolAdapter, SessionSocket
from serve.protocols import wire
from serve.protocols.asyncapi import document
from serve.protocols.deepgram import Deepgram
from serve.protocols.elevenlabs import ElevenLabsSpeaking
from serve.protocols.native import Native
from serve.protocols.native_speech import NativeSpeaking
from serve.protocols.openai_conversation import realtime
from serve.protocols.openai_http import TRANSCRIPTION, TRANSLATION, OpenAiApi
from serve.protocols.openai_speech import SpeechApi
from serve.protocols.openai_translations import OpenAiTranslations
from serve.protocols.speaking_protocol import SpeakingProtocol
from serve.protocols.twilio import Twilio
from serve.protocols.vosk import Vosk
from serve.sessions.mouth import NO_ANSWERS, Mouth, ServerVoice, open_mouth
from serve.sessions.options import Facts, Refused
from serve.sessions.registry import SessionRegistry
from serve.sessions.scoring import shared_vectors
from serve.telemetry import Telemetry
from speech import __version__
from speech.dialogue.answers.opening import open_answerer
from speech.models.precision import Precision
from speech.recognize.text_translators import open_translator
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.stream.engine import EngineConfig
from speech.text.languages import LANGUAGES
from speech.tts.watermark import WatermarkChoice

_WEB = Path(__file__).parent / "web"
_PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(slots=True)
class Parts:
    """Objects shared by the routes; created when the server starts."""

    recognizer: Recognizer
    live: EngineConfig
    facts: Facts
    auth: Authenticator
    telemetry: Telemetry
    adapters: LiveAdapters
    pools: Pools
    speech: SpeechApi
    voices: LiveVoices
    mouth: Mouth | None
    voice: ServerVoice | None
    registry: SessionRegistry | None = None


def build(config: ServeConfig) -> FastAPI:
    """The application. The model is loaded and warmed up here, before the port opens.

    Raises:
        ModelError: if it, or the text translator, cannot be.
        ConfigError: if the encoder for scores or CTranslate2 is not installed, or the translator lacks languages, or
            there are no such answers.
        FileError, DataError: if answers are those of a file, and it cannot be read, or has none.
    """
    answerer = open_answerer(config.answers) if config.answers else None
    one_arena()
    if config.threads:
        torch.set_num_threads(config.threads)
    recognizer = Recognizer.from_pretrained(
        config.model,
        device=config.device,
        precision=Precision(config.precision),
        adapters=config.adapters or None,
        toxic_words=config.toxic_words or None,
        translator=open_translator(config.translator, config.translator_model) if config.translator else None,
    )
    live = _engine_config(config, recognizer.frame_s)
    warm_up(recognizer, live)
    facts = Facts(
        config=config,
        model=wire.ModelInfo(id=config.model, sha256=recognizer.fingerprint),
        languages=recognizer.known,
        targets=recognizer.targets,
        drafts_into=recognizer.drafts_into,
        check=recognizer.check,
        live=recognizer.live,
        trained_policy=recognizer.trained_policy,
        server=f"speech {__version__}",
        vectors=shared_vectors(config.score_encoder),
    )
    speaker = _speaker(config) if config.voice_model else None
    pools = pools_for(speaker, config)
    auth, telemetry = Authenticator(config), Telemetry()
    adapters = LiveAdapters(recognizer, facts, auth, telemetry, pools)
    speech, voices = SpeechApi(speaker, config, telemetry, pools), LiveVoices(speaker, recognizer, config, pools)
    mouth = open_mouth(answerer, speaker, speech.turns, pools.answers, telemetry, config.answer_instructions)
    voice = None if speaker is None else ServerVoice(speaker, speech.turns, telemetry)
    parts = Parts(recognizer, live, facts, auth, telemetry, adapters, pools, speech, voices, mouth, voice)
    app = FastAPI(title="speech", version=__version__, lifespan=lambda _: _lifespan(parts))
    app.state.parts = parts
    _add_page(app)
    _add_operations(app, parts)
    _add_http(app, parts)
    _add_sockets(app, parts)
    return app


def _speaker(config: ServeConfig) -> Speaker:
    watermark = WatermarkChoice(model=config.watermark_model, message=config.watermark_message, on=config.watermark)
    kept = kept_voices(config)
    return Speaker.from_pretrained(config.voice_model, device=config.device, voices=kept, watermark=watermark)


@contextlib.asynccontextmanager
async def _lifespan(parts: Parts) -> AsyncIterator[None]:
    config = parts.facts.config
    engine = parts.recognizer.engine(parts.live)
    readers = config.readers or readers_for(config.device)
    fallback_s = config.fallback_s if config.fallback else None
    worker = EngineWorker(engine, asyncio.get_running_loop(), readers, fallback_s)
    parts.registry = SessionRegistry(parts.facts, worker, parts.telemetry, parts.pools, parts.mouth, parts.voice)
    watcher = asyncio.create_task(parts.adapters.watch())
    try:
        yield
    finally:
        watcher.cancel()
        await parts.registry.close()
        worker.stop()
        parts.pools.close()


def _engine_config(config: ServeConfig, frame_s: float) -> EngineConfig:
    chunk, right_context = (round(ms / 1000 / frame_s) for ms in (config.chunk_ms, config.lookahead_ms))
    return EngineConfig(chunk=max(1, chunk), right_context=right_context)


class _PageFiles(StaticFiles):
    """The page's files; browsers revalidate them on each request."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_PAGE_HEADERS)
        return response


def _add_page(app: FastAPI) -> None:
    """The web page. Its addresses are relative, so that a proxy may serve it under a path."""

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return FileResponse(_WEB / "index.html", headers=_PAGE_HEADERS)

    @app.get("/web/", include_in_schema=False)
    @app.get("/web/index.html", include_in_schema=False)
    async def home() -> Response:
        return RedirectResponse("../")

    @app.get("/web/model.json", include_in_schema=False)
    async def model() -> Response:
        """What the page has to know before there is a session."""
        facts: Facts = app.state.parts.facts
        known = {"languages": facts.languages, "targets": facts.targets, "drafts": facts.drafts_into}
        named = {key: [_language(code) for code in codes] for key, codes in known.items()}
        speaker: Speaker | None = app.state.parts.speech.speaker
        voice: ServerVoice | None = app.state.parts.voice
        voices = {} if speaker is None else {name: _language(speaker.language_of(name)) for name in speaker.voices}
        return JSONResponse(
            {
                "id": facts.model.id,
                "server": facts.server,
                "needs_key": bool(facts.config.api_keys),
                **named,
                "answers": app.state.parts.mouth is not None,
                "says": [] if voice is None else [code for code in facts.targets if voice.speaks(code)],
                "voice_rate": None if speaker is None else speaker.sample_rate,
                "voices": [{"id": name, "language": spoken} for name, spoken in voices.items()],
            },
            headers=_PAGE_HEADERS,
        )

    app.mount("/web", _PageFiles(directory=_WEB))


def _language(code: str) -> dict[str, object]:
    found = LANGUAGES[code]
    return {
        "code": code, "tag": found.alpha2 or code, "name": found.name, "native": found.native, "spaces": found.spaces,
    }  # fmt: skip


def _add_operations(app: FastAPI, parts: Parts) -> None:
    @app.get("/health/live")
    @app.get("/health")
    async def live() -> Response:
        """Liveness: 503 if the engine has failed and the process must be restarted."""
        failed = parts.registry is not None and parts.registry.failed
        return JSONResponse({"status": "failed"}, 503) if failed else JSONResponse({"status": "ok"})

    @app.get("/health/ready")
    async def ready() -> Response:
        """Readiness: 503 if no further session is accepted now."""
        wait_s = parts.registry.admit() if parts.registry is not None else 1.0
        if wait_s is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "busy"}, 503, headers={"Retry-After": f"{wait_s:.0f}"})

    @app.get("/metrics")
    async def metrics() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(parts.telemetry.render(), media_type="text/plain; version=0.0.4")

    @app.get("/asyncapi.json")
    async def asyncapi() -> dict[str, object]:
        """The AsyncAPI document of the native websocket protocol."""
        return document(__version__)

    @app.get("/version")
    async def version() -> dict[str, object]:
        """Versions of server, protocol and model, and the languages that have adapters."""
        model, adapted = parts.facts.model, parts.adapters.codes
        own = {"server": parts.facts.server, "model": model.id, "sha256": model.sha256, "adapters": adapted}
        return {**own, "protocol": wire.SUBPROTOCOL}


def _add_http(app: FastAPI, parts: Parts) -> None:
    api = OpenAiApi(parts.recognizer, parts.facts, parts.telemetry, parts.pools)

    app.add_middleware(AccessMiddleware, auth=parts.auth)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_validation_error)

    app.add_api_route("/v1/models", api.models, methods=["GET"])
    for path, route, form in (
        ("/v1/audio/transcriptions", api.transcriptions, TRANSCRIPTION),
        ("/v1/audio/translations", api.translations, TRANSLATION),
    ):
        app.add_api_route(path, route, methods=["POST"], response_model=None, openapi_extra=form)

    app.add_api_route("/v1/audio/speech", parts.speech.speech, methods=["POST"], response_model=None)
    app.add_api_route("/v1/voices", parts.voices.listing, methods=["GET"])
    app.add_api_route("/v1/voices", parts.voices.post, methods=["POST"], response_model=None, openapi_extra=CLONING)
    app.add_api_route("/v1/voices/{name}", parts.voices.delete, methods=["DELETE"], response_model=None)

    app.add_api_route("/v1/adapters", parts.adapters.listing, methods=["GET"])
    app.add_api_route("/v1/adapters/{code}", parts.adapters.put, methods=["PUT"], response_model=None)
    app.add_api_route("/v1/adapters/{code}", parts.adapters.delete, methods=["DELETE"], response_model=None)

    @app.post("/v1/realtime/client_secrets")
    async def client_secrets() -> dict[str, object]:
        """A short-lived token with which a web page opens websockets."""
        value, expires = parts.auth.client_secret(600)
        return {"value": value, "expires_at": expires}


def _add_sockets(app: FastAPI, parts: Parts) -> None:
    longest = parts.facts.config.max_json_bytes

    def native(socket: WebSocket) -> Native:
        return Native(socket.query_params, longest)

    def deepgram(socket: WebSocket) -> Deepgram:
        return Deepgram(socket.query_params.multi_items(), longest)

    add_protocol(app, parts, "/v1/stream", "native", native, wire.SUBPROTOCOL)
    add_protocol(app, parts, "/v1/listen", "deepgram", deepgram, "token")

    def translations(socket: WebSocket) -> OpenAiTranslations:
        speaks = parts.voice.speaks if parts.voice is not None else lambda code: False
        return OpenAiTranslations(parts.facts, socket.query_params.get("model", ""), speaks)

    def openai(socket: WebSocket) -> ProtocolAdapter:
        return realtime(socket.query_params, parts.facts, parts.mouth)

    add_protocol(app, parts, "/v1/realtime", "openai", openai, "realtime")
    add_protocol(app, parts, "/v1/realtime/translations", "openai_translations", translations, "realtime")
    for path in ("/v1/twilio", "/v1/twilio/{token}"):
        add_protocol(app, parts, path, "twilio", lambda _: Twilio(longest), answers=True)
    add_protocol(app, parts, "/vosk", "vosk", lambda socket: Vosk(socket.query_params, longest))

    async def speaking(socket: WebSocket, protocol: Callable[[Speaker], SpeakingProtocol]) -> None:
        await serve_speaking(socket, parts.auth, parts.telemetry, parts.speech, protocol)

    async def speak(socket: WebSocket) -> None:
        await speaking(socket, lambda speaker: NativeSpeaking(longest, speaker.sample_rate))

    async def elevenlabs(socket: WebSocket) -> None:
        voice, query = socket.path_params["voice_id"], socket.query_params
        await speaking(socket, lambda speaker: ElevenLabsSpeaking(speaker, voice, query, longest))

    app.add_api_websocket_route("/v1/speak", speak, "speak")
    app.add_api_websocket_route("/v1/text-to-speech/{voice_id}/stream-input", elevenlabs, "elevenlabs")


def add_protocol(
    app: FastAPI,
    parts: Parts,
    path: str,
    name: str,
    adapter: Callable[[WebSocket], ProtocolAdapter],
    subprotocol: str | None = None,
    *,
    answers: bool = False,
) -> None:
    """Serve a websocket protocol.

    Args:
        app: the application.
        parts: what its routes share, `app.state.parts`.
        path: of the route; it may have a `{token}`, for clients whose addresses have no query.
        name: label of its sessions in the metrics.
        adapter: makes the adapter of one connection.
        subprotocol: accepted if the client offers it.
        answers: whether only a server that answers aloud serves it.
    """

    async def endpoint(socket: WebSocket) -> None:
        await _serve(socket, parts, name, adapter(socket), subprotocol, answers=answers)

    app.add_api_websocket_route(path, endpoint, name)


async def _serve(
    socket: WebSocket, parts: Parts, name: str, adapter: ProtocolAdapter, subprotocol: str | None, *, answers: bool
) -> None:
    """Check, accept and serve a connection of any protocol."""
    assert parts.registry is not None
    denied = _denied(socket, parts, parts.registry, answers=answers)
    if denied is not None:
        parts.telemetry.refused.labels(denied.code).inc()
        if "origin" not in socket.headers:
            wait_s = parts.registry.admit() or 1.0
            headers = {"Retry-After": f"{wait_s:.0f}"} if denied.status == 503 else {}
            await socket.send_denial_response(PlainTextResponse(denied.message, denied.status, headers=headers))
            return
    await socket.accept(subprotocol if subprotocol in subprotocols(socket.headers) else None)
    session = SessionSocket(socket, parts.registry, adapter, parts.auth.until(socket.headers, _query(socket)))
    if denied is not None:  # browsers cannot read the status of a refused handshake
        await session.refuse(Refused(denied.code, denied.message, denied.close))
        return
    parts.telemetry.opened.labels(name).inc()
    with contextlib.suppress(WebSocketDisconnect):
        await session.run()


def _query(socket: WebSocket) -> dict[str, str]:
    """Parameters of the URL, and those that are parts of its path."""
    return {**socket.query_params, **socket.path_params}


def _denied(socket: WebSocket, parts: Parts, registry: SessionRegistry, *, answers: bool) -> Denial | None:
    resuming = registry.knows(socket.query_params.get("session", ""))  # it already has a place
    denied = parts.auth.check(socket.headers, _query(socket), returning=resuming)
    if denied is None and answers and parts.mouth is None:
        return Denial(404, "no_dialogue", NO_ANSWERS)
    crowded = registry.waiting.crowded(resuming=resuming)
    if denied is None and (crowded or (not resuming and registry.admit() is not None)):
        return Denial(503, "overloaded", "no session is free; try again later")
    return denied
