"""`/v1/voices`: the voices of a running server. Clients may add voices that imitate a recording, and remove them again,
if `voices_folder` of the configuration names a folder. Added voices are kept there, and are back after a restart.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from serve.config import ServeConfig
from serve.engine.pools import Pools, run
from serve.http.errors import Failure
from serve.http.uploads import UploadForm, UploadSlots, receive_form
from serve.protocols.openai_speech import ALIASES
from speech.errors import AudioError, ConfigError, DataError, FileError, LanguageError, ModelError, SpeechError
from speech.files import name_is_refused, reason
from speech.speaker import Speaker
from speech.tts.cloning import Cloner, CloneRequest, Listener
from speech.tts.voice_file import VoiceFile, save_voice, stored_voices

_log = logging.getLogger(__name__)
_TEXT = {"type": "string"}
_NO_VOICE = "this server has no voice; it is started with --voice-model for one"
CLONING = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "consent", "language", "audio_sample"],
                    "properties": {
                        "name": _TEXT,
                        "consent": _TEXT | {"description": "Who agrees to what."},
                        "language": _TEXT,
                        "text": _TEXT | {"description": "What is said in the recording."},
                        "audio_sample": _TEXT | {"format": "binary"},
                    },
                }
            }
        },
    }
}
"""OpenAPI description of the route that makes voices, which parses its form itself."""


def kept_voices(config: ServeConfig) -> list[VoiceFile]:
    """The voices that clients have added.

    Raises:
        ModelError: naming the file, if one is damaged.
    """
    return stored_voices(Path(config.voices_folder)) if config.voices_folder else []


class LiveVoices:
    """The routes. One voice is made at a time.

    Args:
        speaker: with the voices of `kept_voices`; None: this server does not speak.
        listener: finds the words in recordings.
        config: of the server.
        pools: `voices` makes and stores them.
    """

    def __init__(self, speaker: Speaker | None, listener: Listener, config: ServeConfig, pools: Pools) -> None:
        self._speaker, self._config, self._pools = speaker, config, pools
        self._folder = Path(config.voices_folder)
        self._added = {voice.name for voice in kept_voices(config)}
        self._turn = asyncio.Lock()
        self._places = UploadSlots(1, "a voice is being made")
        self._cloner = self._opened(speaker, listener)

    async def listing(self) -> dict[str, Any]:
        """List the voices, the language of each, and which are cloned and which were added by clients."""
        speaker = self._speaker
        data = [] if speaker is None else [self._record(speaker, name) for name in speaker.voices]
        return {"object": "list", "data": data}

    async def post(self, request: Request) -> Response:
        """Make a voice that imitates a recording, and add it."""
        try:
            speaker, cloner = self._permitted()
            place = self._places.take()
            try:
                form = await receive_form(request, self._config.max_voice_bytes, "audio_sample")
                try:
                    voice = await self._made(speaker, cloner, form)
                finally:
                    form.file.close()
            finally:
                place.leave()
        except Failure as error:
            return error.response()
        _log.info("voice %s: added", voice.name)
        made = int(datetime.fromisoformat(voice.created).timestamp())
        return JSONResponse({**self._record(speaker, voice.name), "created_at": made}, 201)

    async def delete(self, name: str) -> Response:
        """Remove a voice that a client has added."""
        try:
            speaker = self._changeable()
            async with self._turn:
                if name not in speaker.voices:
                    raise Failure(404, "voice_not_found", f"there is no voice {name[:80]!r}", "name")
                if name not in self._added:
                    text = f"the voice {name[:80]!r} is not one that was added here: it stays"
                    raise Failure(403, "voice_fixed", text, "name")
                _removed(speaker, name)
                self._added.discard(name)
                await run(self._pools.voices, self._forget, name)
        except Failure as error:
            return error.response()
        _log.info("voice %s: removed", name)
        return JSONResponse({"id": name, "object": "voice", "deleted": True})

    def _opened(self, speaker: Speaker | None, listener: Listener) -> Cloner | str:
        """What makes voices, or why none can be made."""
        if speaker is None or not self._config.voices_folder:
            return ""
        if not speaker.marks:
            return "a cloned voice is said only with a watermark; this server would have to have a watermark_model"
        if not speaker.grows:
            return "the voice model of this server takes minutes to imitate a recording; use `speech voice clone`"
        try:
            return speaker.cloner(listener)
        except (ConfigError, ModelError) as error:
            _log.warning("voices cannot be cloned: %s", error)
            return str(error)

    def _changeable(self) -> Speaker:
        """What speaks. Raises Failure if there is none, or its voices cannot be changed."""
        if self._speaker is None:
            raise Failure(404, "no_voice", _NO_VOICE)
        if not self._config.voices_folder:
            text = "voices of this server cannot be changed; it would have to be started with a voices_folder"
            raise Failure(403, "voices_fixed", f"{text} (SPEECH_VOICES_FOLDER)")
        return self._speaker

    def _permitted(self) -> tuple[Speaker, Cloner]:
        """What speaks, and what makes voices. Raises Failure if none can be added."""
        speaker = self._changeable()
        if isinstance(self._cloner, str):
            raise Failure(403, "no_cloning", self._cloner)
        if len(self._added) >= self._config.max_voices:
            raise Failure(403, "too_many_voices", f"{len(self._added)} voices were added; remove one before")
        return speaker, self._cloner

    async def _made(self, speaker: Speaker, cloner: Cloner, form: UploadForm) -> VoiceFile:
        """Make a voice, keep it, and let texts be said in it. Raises Failure."""
        wanted = _wanted(form)
        self._check_new(speaker, wanted.name)
        voice = await run(self._pools.voices, _cloned, cloner, form, wanted)
        async with self._turn:
            self._check_new(speaker, wanted.name)
            await run(self._pools.voices, self._keep, voice)
            self._added.add(voice.name)
            speaker.add_voice(voice)
        return voice

    def _check_new(self, speaker: Speaker, name: str) -> None:
        """Raises Failure if there is a voice of a name."""
        if name in speaker.voices or self._file(name).exists():  # which another worker may have added
            raise Failure(409, "voice_exists", f"there is a voice {name!r} already", "name")
        if name in ALIASES:
            raise Failure(409, "voice_exists", f"{name!r} stands for a voice of each language already", "name")

    def _keep(self, voice: VoiceFile) -> None:
        """Store a voice. Runs on a thread. Raises Failure."""
        try:
            save_voice(self._file(voice.name), voice)
        except FileError as error:
            if name_is_refused(error):
                raise Failure(400, "bad_name", f"the name {voice.name!r} is too long", "name") from error
            raise Failure(500, "not_kept", f"the voice could not be kept: {error.what}") from error

    def _forget(self, name: str) -> None:
        """Remove the file of a voice. Runs on a thread. Raises Failure."""
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            text = f"the voice is gone until the next start: its file cannot be removed: {reason(error)}"
            raise Failure(500, "not_kept", text) from error

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.safetensors"

    def _record(self, speaker: Speaker, name: str) -> dict[str, Any]:
        facts = {"language": speaker.language_of(name), "cloned": speaker.is_cloned(name), "added": name in self._added}
        return {"id": name, "object": "voice", **facts}


def _removed(speaker: Speaker, name: str) -> None:
    """Raises Failure if the voices of this model stay as they were when it was loaded."""
    try:
        speaker.remove_voice(name)
    except ConfigError as error:
        raise Failure(403, "voice_fixed", str(error), "name") from error


def _wanted(form: UploadForm) -> CloneRequest:
    """What a form asks for. Raises Failure."""
    for name in ("name", "consent", "language"):
        if not form.one(name, "").strip():
            raise Failure(400, "bad_request", f"the form has no {name!r}", name)
    try:
        return CloneRequest(**{name: form.one(name, "") for name in ("name", "language", "consent", "text")})
    except ModelError as error:
        raise Failure(400, "bad_name", error.what, "name") from error
    except LanguageError as error:
        raise Failure(400, "bad_language", str(error), "language") from error
    except SpeechError as error:
        raise Failure(400, "bad_request", str(error)) from error


def _cloned(cloner: Cloner, form: UploadForm, wanted: CloneRequest) -> VoiceFile:
    """Make a voice. Runs on a thread. Raises Failure."""
    try:
        return cloner.clone(form.file, wanted)
    except LanguageError as error:
        raise Failure(400, "bad_language", str(error), "language") from error
    except (AudioError, DataError) as error:
        status, code = (415, "bad_audio") if isinstance(error, AudioError) else (400, "bad_recording")
        text = f"{form.name}: {error.what}" + (f". {error.fix}" if error.fix else "")
        raise Failure(status, code, text, "audio_sample") from error
    except SpeechError as error:
        raise Failure(400, "cannot_be_cloned", str(error)) from error
