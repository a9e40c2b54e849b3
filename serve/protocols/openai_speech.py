"""`/v1/audio/speech`, compatible with OpenAI's clients: a text is sent as audio while it is said."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from serve.config import ServeConfig
from serve.engine.deadlines import Playback
from serve.engine.pools import Pools
from serve.engine.speaking_turns import Piece, SpeakingTurns
from serve.http.errors import Failure
from serve.protocols.openai_stream import event
from serve.telemetry import Telemetry
from speech.audio.output import MEDIA_TYPES, AudioWriter
from speech.choices import AudioEncoding
from speech.errors import AudioError, ConfigError, SpeechError
from speech.speaker import Speaker
from speech.text.languages import resolve
from speech.tts.speech_stream import FASTEST, SLOWEST, SpeakingOptions, SpeechPacket
from speech.tts.synthesizer import uncloned
from speech.tts.text_front_end.ssml import is_ssml

_log = logging.getLogger(__name__)
ALIASES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse",
)  # fmt: skip
"""Voices that unmodified clients name; each stands for the voice at its place among those of the language that are not
cloned, so that voices which are added do not change it."""
_AT_THE_END = (AudioEncoding.wav, AudioEncoding.flac)
"""Their headers state the length: they are sent once all is said."""


class NamedVoice(msgspec.Struct):
    """A voice by its id, as OpenAI's clients also send it."""

    id: str


class SpeechRequest(msgspec.Struct, kw_only=True):
    """Body of a request; other fields are ignored, as `instructions` are."""

    input: str
    """A text, or an SSML document."""
    model: str = ""
    voice: str | NamedVoice = ""
    """A voice, or a blend such as "af_heart:0.6,bf_emma:0.4"."""
    response_format: AudioEncoding = AudioEncoding.mp3
    speed: float = 1.0
    stream_format: str = "audio"
    language: str = ""
    """Language of the text; default: that of the voice. OpenAI has no such field."""
    seed: int = 0

    @property
    def voice_name(self) -> str:
        return self.voice if isinstance(self.voice, str) else self.voice.id


class SpeechApi:
    """The routes. Requests take turns, on as many threads as the speaker says texts together.

    Args:
        speaker: says texts; None: this server has no voice.
        config: of the server.
        telemetry: of the server.
        pools: of the server.
    """

    def __init__(self, speaker: Speaker | None, config: ServeConfig, telemetry: Telemetry, pools: Pools) -> None:
        self.speaker, self.config, self._telemetry = speaker, config, telemetry
        self.turns = SpeakingTurns(pools.speech, pools.speech_alone, telemetry)
        self.speaking = 0
        """Requests under way."""

    async def speech(self, request: Request) -> Response:
        """Text to speech."""
        try:
            response = await self._result(request)
        except Failure as refused:
            response = refused.response()
        self._telemetry.speech_requests.labels(str(response.status_code)).inc()
        return response

    async def _result(self, request: Request) -> Response:
        if self.speaker is None:
            raise Failure(404, "no_voice", "this server has no voice; it is started with --voice-model for one")
        playback = Playback()
        playback.ask(self.turns.clock())
        wanted = _parsed(await _body(request, self.config.max_json_bytes))
        options = self._options(self.speaker, wanted)
        self.enter()
        try:
            spoken = SayingText(self.speaker, wanted, options, self.turns, playback)
        except BaseException:
            self.leave()
            raise

        def over() -> None:
            spoken.leave()
            self.leave()

        try:
            first = await spoken.next()
        except BaseException:
            over()
            raise
        if wanted.stream_format == "sse":
            return LeavingResponse(spoken.events(first), "text/event-stream", over)
        return LeavingResponse(spoken.audio(first), MEDIA_TYPES[wanted.response_format], over)

    def enter(self) -> None:
        """Take a place; `leave` frees it.

        Raises:
            Failure: 429, if none is free.
        """
        if self.speaking >= self.config.max_speech_requests:
            raise Failure(429, "too_many_requests", f"{self.speaking} texts are being said; try again later")
        self.speaking += 1

    def leave(self) -> None:
        """Free a place."""
        self.speaking -= 1

    def _options(self, speaker: Speaker, wanted: SpeechRequest) -> SpeakingOptions:
        """How a text is said. Raises Failure."""
        longest = self.config.max_speech_characters
        if not wanted.input.strip() or len(wanted.input) > longest:
            text = f"input has {len(wanted.input)} characters, expected 1 to {longest} and not blanks only"
            raise Failure(400, "bad_input", text, "input")
        if not SLOWEST <= wanted.speed <= FASTEST:
            raise Failure(400, "bad_speed", f"speed {wanted.speed:g}, expected {SLOWEST:g} to {FASTEST:g}", "speed")
        if wanted.stream_format not in ("audio", "sse"):
            raise Failure(
                400, "bad_format", f"stream_format {wanted.stream_format[:80]!r}; audio or sse", "stream_format"
            )
        try:
            code = resolve(wanted.language).code if wanted.language else ""
        except SpeechError as error:
            raise Failure(400, "bad_language", str(error), "language") from error
        name = wanted.voice_name
        if name and name not in ALIASES:
            code = code or _language_of(speaker, name)
        else:
            code = code or "eng"
            name = _own_voice(speaker, name, code) if name else ""
        return SpeakingOptions(language=code, voice=name, rate=wanted.speed, seed=abs(wanted.seed))


class SayingText:
    """One text that is being said: bytes of audio as they are ready."""

    def __init__(
        self,
        speaker: Speaker,
        wanted: SpeechRequest,
        options: SpeakingOptions,
        turns: SpeakingTurns,
        playback: Playback,
    ) -> None:
        self._rate, self._characters = speaker.sample_rate, len(wanted.input)
        self._file = Collected() if wanted.response_format not in _AT_THE_END else io.BytesIO()
        self._writer = _writer(self._file, wanted.response_format, speaker.sample_rate)
        self._samples, self._words = 0, 0
        self._said = turns.say(self._pieces(_packets(speaker, wanted.input, options)), playback)

    async def next(self) -> bytes:
        """The next bytes, not empty unless the text is over.

        Raises:
            Failure: if the text cannot be said.
        """
        try:
            while (made := await self._said.next()) is not None:
                if made:
                    return made
        except SpeechError as error:
            raise Failure(400, "cannot_be_said", str(error), "input") from error
        return b""

    def leave(self) -> None:
        """Say no more of it."""
        self._said.leave()

    def _pieces(self, packets: Iterator[SpeechPacket]) -> Iterator[Piece[bytes]]:
        """The bytes that each packet completes; made on the threads of the pool."""
        for packet in packets:
            self._samples += len(packet.samples)
            self._words += len(packet.words)
            self._writer.write(np.asarray(packet.samples))
            made = self._file.taken() if isinstance(self._file, Collected) else b""
            yield Piece(made, len(packet.samples) / self._rate)
        if not self._words:
            raise AudioError("nothing in the text can be spoken", fix="Give some words.")
        self._writer.close()
        yield Piece(self._file.taken() if isinstance(self._file, Collected) else self._file.getvalue(), 0.0)

    async def _rest(self, first: bytes) -> AsyncIterator[bytes]:
        made = first
        while made:
            yield made
            made = await self.next()

    async def audio(self, first: bytes) -> AsyncIterator[bytes]:
        """The file, from the result of the first `next` on. It breaks off if the text cannot be said further."""
        async for made in self._rest(first):
            yield made

    async def events(self, first: bytes) -> AsyncIterator[str]:
        """The file as server-sent events; an error is the last one."""
        try:
            async for made in self._rest(first):
                yield event("speech.audio.delta", audio=base64.b64encode(made).decode())
        except Failure as failure:
            yield event("error", error={"code": failure.code, "message": failure.message})
            return
        seconds = self._samples / self._rate
        used = {"input_tokens": self._characters, "output_tokens": round(seconds * 1000)}
        total = {"total_tokens": sum(used.values())}
        yield event("speech.audio.done", usage={**used, **total})


class LeavingResponse(StreamingResponse):
    """A streamed response that calls `leave` at its end, also if the client has gone before its beginning."""

    def __init__(self, content: AsyncIterator[Any], media_type: str, leave: Callable[[], None]) -> None:
        super().__init__(content, media_type=media_type)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class Collected(io.RawIOBase):
    """A file that is taken away while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._made = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._made += bytes(data)
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last call."""
        made, self._made = bytes(self._made), bytearray()
        return made


def chosen_voice(speaker: Speaker, name: str, language: str) -> str:
    """The voice that a client means: one of ours or a blend by its name, or what stands for one of OpenAI's among those
    of a language; empty: the default one.

    Raises:
        ConfigError: if there is no such voice, or it is cloned and speech gets no watermark.
        LanguageError: if the language is unknown.
    """
    code = resolve(language).code
    voice = _own_voice(speaker, name, code) if name in ALIASES else name
    speaker.open(SpeakingOptions(language=code, voice=voice))
    return voice


def _own_voice(speaker: Speaker, alias: str, code: str) -> str:
    """The voice that stands for one of OpenAI's; empty: there is none of the language."""
    fixed = uncloned(speaker.voices, [voice for voice in speaker.voices if speaker.is_cloned(voice)])
    own = [voice for voice in fixed if speaker.language_of(voice) == code]
    return own[ALIASES.index(alias) % len(own)] if own else ""


def _language_of(speaker: Speaker, voice: str) -> str:
    """The language of a voice or a blend. Raises Failure if there is none of that name."""
    try:
        return speaker.language_of(voice)
    except ConfigError as error:
        raise Failure(404, "voice_not_found", str(error), "voice") from error


def _writer(file: Any, encoding: AudioEncoding, rate: int) -> AudioWriter:
    try:
        return AudioWriter(file, encoding, rate)
    except AudioError as error:
        raise Failure(400, "bad_format", str(error), "response_format") from error


def _packets(speaker: Speaker, text: str, options: SpeakingOptions) -> Iterator[SpeechPacket]:
    """Packets of a text or an SSML document; it is read on the thread that asks for the first one."""
    if is_ssml(text):
        yield from speaker.stream_ssml(text, options)
    else:
        yield from speaker.stream([text], options)


async def _body(request: Request, longest: int) -> bytes:
    """The body. Raises Failure as soon as it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > longest:
            raise Failure(413, "too_long", f"the body has more than {longest} bytes")
    return bytes(body)


def _parsed(body: bytes) -> SpeechRequest:
    try:
        return msgspec.json.decode(body, type=SpeechRequest)
    except (msgspec.DecodeError, RecursionError) as error:
        what, _, path = str(error).partition(" - at `$.")
        name = path.strip("`") or None
        raise Failure(400, "bad_request", f"{name}: {what}" if name else what, name) from error
