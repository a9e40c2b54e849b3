"""`speech say` with an imported Fish-Speech: it reads letters, imitates a recording, and tells no word times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from speech.audio.input.files import load_audio
from speech.decode.sampling.sampler import SamplingConfig
from speech.errors import ConfigError, TextError
from speech.files import check_readable, printable, read_text
from speech.models.checkpoint import kind_of
from speech.models.devices import check_device
from speech.models.fish_checkpoint import load_fish_checkpoint
from speech.models.fish_prompt import FishTurn
from speech.models.hub import locate
from speech.models.storage import FISH
from speech.tts.fish_speaker import FishSpeaker
from speech.tts.speech_stream import SpeakingOptions, SpeechPacket
from speech.tts.text_front_end.ssml import is_ssml
from speech.tts.watermark import LEAST_S, Watermarker


def reads_letters(model: str) -> bool:
    """Whether a voice model, by its directory or hub id, is a Fish-Speech.

    Raises:
        ModelError: if there is no such model.
    """
    return kind_of(locate(model)) == FISH


def check_options(options: SpeakingOptions, text: str, words: Path | None) -> None:
    """Refuse what a Fish-Speech cannot do.

    Raises:
        ConfigError: naming the option.
        TextError: for SSML.
    """
    if words is not None:
        raise ConfigError(f"--words {words}: a Fish-Speech tells no word times", fix="Leave it out.")
    if options.rate != 1:
        raise ConfigError(f"--rate {options.rate:g}: a Fish-Speech has one speed", fix="Leave it out.")
    if is_ssml(text):
        raise TextError("a Fish-Speech reads no SSML", fix="Give plain text.")


def open_fish(model: str, device: str) -> FishSpeaker:
    """Load a model.

    Raises:
        ModelError: if it is damaged.
        ConfigError: if the device is missing.
    """
    return FishSpeaker(load_fish_checkpoint(locate(model), device=check_device(device)))


def fish_packets(
    speaker: FishSpeaker, text: str, options: SpeakingOptions, watermark: Path | None, message: int
) -> Iterator[SpeechPacket]:
    """Samples of a text; its voice is a recording beside a text of the same name, `.txt`.

    Args:
        speaker: says the text.
        text: plain.
        options: voice and seed.
        watermark: directory of the model that marks what is said, which then comes at once.
        message: of the mark.

    Raises:
        ConfigError: if somebody is imitated without a watermark.
        FileError: if recording or text cannot be read.
        AudioError, TextError, ConfigError, ModelError: as `FishSpeaker.voice`, `FishSpeaker.stream` and `Watermarker`.
    """
    voice = _voice(speaker, Path(options.voice)) if options.voice else None
    if voice is not None and watermark is None:
        what = "a voice that imitates a recording is said only with a watermark"
        raise ConfigError(what, fix="Give --watermark MODEL; `speech watermark` tells what that is.")
    stream = speaker.stream(text, voice=voice, sampling=SamplingConfig(seed=options.seed))
    if watermark is None:
        yield from (SpeechPacket(samples, ()) for samples in stream)
        return
    marker = Watermarker.from_pretrained(str(watermark))
    whole = np.concatenate(list(stream))  # what is too short for a mark gets one as if silence followed
    padded = np.pad(whole, (0, max(round(LEAST_S * speaker.sample_rate) - len(whole), 0)))
    yield SpeechPacket(marker.embed(padded, speaker.sample_rate, message)[: len(whole)], ())


def _voice(speaker: FishSpeaker, recording: Path) -> FishTurn:
    text = recording.with_suffix(".txt")
    for path in (recording, text):
        if not path.is_file():
            fix = "With a Fish-Speech, give a recording as --voice, and beside it NAME.txt with what is said in it."
            raise ConfigError("no such file", where=printable(path), fix=fix)
        check_readable(path)
    return speaker.voice(load_audio(recording, rate=speaker.sample_rate), read_text(text))
