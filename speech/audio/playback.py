"""Plays samples while more are made: by the package sounddevice if it is installed, else by a program of the system."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from speech.audio.output import int16_samples
from speech.errors import AudioError, ConfigError

AHEAD_S = 60.0
"""Audio that may wait to be played; whoever makes more waits."""
_BLOCK_S = 0.1
_POLL_S = 0.1
_PROGRAMS: Mapping[str, Sequence[str]] = {
    "ffplay": ("-v", "error", "-nodisp", "-autoexit", "-f", "s16le", "-sample_rate", "{rate}", "-i", "pipe:0"),
    "aplay": ("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", "{rate}", "-"),
    "paplay": ("--raw", "--format=s16le", "--channels=1", "--rate={rate}"),
    "pw-play": ("--raw", "--format=s16", "--channels=1", "--rate={rate}", "-"),
}
"""Programs that play mono 16-bit little-endian samples from standard input, in order of preference."""


class Loudspeaker(Protocol):
    """Plays 16-bit little-endian mono samples."""

    def write(self, samples: bytes) -> None:
        """Take samples; may wait. Raises AudioError if they cannot be played."""

    def finish(self) -> None:
        """Wait until all is played. Raises AudioError if it could not be."""

    def stop(self) -> None:
        """Be silent at once; also after `finish`, and while another thread is in `write`, which then ends."""

    def close(self) -> None:
        """Free what it holds; the last call."""


class ProgramLoudspeaker:
    """A program that reads samples from a pipe.

    Args:
        name: one of the programs that are known.
        path: of the program.
        rate: Hz.
    """

    def __init__(self, name: str, path: str, rate: int) -> None:
        self._name = name
        self._told = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        command = [path, *(argument.format(rate=rate) for argument in _PROGRAMS[name])]
        # In a session of its own, so that Ctrl-C reaches this process alone, which then stops the program.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._told, start_new_session=True
        )

    def write(self, samples: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(samples)
            self._process.stdin.flush()
        except OSError as error:
            raise self._failed() from error

    def finish(self) -> None:
        with suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._process.wait():
            raise self._failed()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def close(self) -> None:
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._told.close()

    def _failed(self) -> AudioError:
        code = self._process.wait()
        self._told.seek(0)
        lines = self._told.read(4096).decode("utf-8", "replace").strip().splitlines()
        said = f": {lines[-1][:200]}" if lines else ""
        return AudioError(f"ended with exit code {code} before all was played{said}", where=self._name)


class DeviceLoudspeaker:
    """The default output of the package sounddevice.

    Args:
        sounddevice: the package.
        rate: Hz.

    Raises:
        AudioError: if there is no output.
    """

    def __init__(self, sounddevice: Any, rate: int) -> None:
        self._refusal = sounddevice.PortAudioError
        try:
            self._stream = sounddevice.RawOutputStream(samplerate=rate, channels=1, dtype="int16")
            self._stream.start()
        except self._refusal as error:
            raise AudioError(f"cannot be opened: {error}", where="the loudspeaker") from error

    def write(self, samples: bytes) -> None:
        try:
            self._stream.write(samples)
        except self._refusal as error:
            raise AudioError(f"stopped playing: {error}", where="the loudspeaker") from error

    def finish(self) -> None:
        self._stream.stop()

    def stop(self) -> None:
        self._stream.abort()

    def close(self) -> None:
        self._stream.close()


class Player:
    """Plays what is written, in the background. A context manager: its end waits until all is played; an error in the
    block, or Ctrl-C at any time, stops at once.

    Args:
        sample_rate: Hz.

    Raises:
        ConfigError: if nothing here can play.
        AudioError: if the loudspeaker cannot be opened.
    """

    def __init__(self, sample_rate: int) -> None:
        self._block = round(_BLOCK_S * sample_rate)
        self._waiting: Queue[bytes | None] = Queue(round(AHEAD_S / _BLOCK_S))
        self._error: AudioError | None = None
        self._loudspeaker = _opened(sample_rate)
        self._thread = threading.Thread(target=self._feed, name="playback", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._put(None)
                while self._thread.is_alive():
                    self._thread.join(_POLL_S)
                self._check()
        finally:
            self.forget()
            self._waiting.put(None)
            self._loudspeaker.stop()
            self._thread.join()
            self._loudspeaker.close()

    def write(self, samples: np.ndarray) -> None:
        """Play samples `(n,)` float32 behind those before; waits while `AHEAD_S` are waiting.

        Raises:
            AudioError: if those before could not be played.
        """
        whole = int16_samples(samples)
        for start in range(0, len(whole), self._block):
            self._put(whole[start : start + self._block].tobytes())

    def forget(self) -> None:
        """Drop what has been written and has not begun to be played."""
        with suppress(Empty):
            while True:
                self._waiting.get_nowait()

    def _put(self, block: bytes | None) -> None:
        while True:
            self._check()
            with suppress(Full):
                self._waiting.put(block, timeout=_POLL_S)
                return

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _feed(self) -> None:
        """Runs on the thread."""
        try:
            while (block := self._waiting.get()) is not None:
                self._loudspeaker.write(block)
            self._loudspeaker.finish()
        except AudioError as error:
            self._error = error


def check_player() -> None:
    """Check, before anything is loaded, that something here can play.

    Raises:
        ConfigError: if not.
    """
    if find_spec("sounddevice") is None:
        _program()


def _opened(rate: int) -> Loudspeaker:
    if find_spec("sounddevice") is not None:
        with suppress(OSError):  # it is there without PortAudio
            import sounddevice

            return DeviceLoudspeaker(sounddevice, rate)
    name, path = _program()
    return ProgramLoudspeaker(name, path, rate)


def _program() -> tuple[str, str]:
    """Name and path of the first program that is there."""
    for name in _PROGRAMS:
        path = shutil.which(name)
        if path is not None:
            return name, path
    raise ConfigError(
        f"nothing here can play audio: there is none of {', '.join(_PROGRAMS)}",
        fix="Install FFmpeg, or the package sounddevice, or give --output without --play.",
    )
