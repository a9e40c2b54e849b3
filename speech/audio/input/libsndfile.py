"""Read WAV, related formats and single-stream Ogg with libsndfile."""

from __future__ import annotations

from collections.abc import Generator

import soundfile

from speech.audio.input.pieces import AudioInfo, AudioPiece, DamageError, OpenedAudio
from speech.audio.input.source import Slice


def open_sound(file: Slice, *, block_s: float) -> OpenedAudio:
    """Open a file with libsndfile.

    Args:
        file: seekable file.
        block_s: seconds per piece.

    Raises:
        soundfile.LibsndfileError: if libsndfile cannot open the file.
    """
    sound = soundfile.SoundFile(file)
    rate = int(sound.samplerate)
    info = AudioInfo(len(sound) / rate, rate, int(sound.channels), str(sound.format).lower())

    def pieces() -> Generator[AudioPiece]:
        with sound:
            try:
                while len(block := sound.read(max(1, int(block_s * rate)), dtype="float32", always_2d=True)):
                    yield AudioPiece(block, rate)
            except soundfile.LibsndfileError as error:
                raise DamageError(error.error_string.rstrip(".")) from error

    return OpenedAudio(info, pieces())
