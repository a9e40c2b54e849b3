"""`speech say` with an imported Fish-Speech: it reads letters, imitates a recording, and tells no word times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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
    if text.lstrip().startswith("<speak"):
        raise TextError("a Fish-Speech reads no SSML", fix="Give plain text.")


def open_fish(model: str, device: str) -> FishSpeaker:
    """Load a model.

    Raises:
        ModelError: if it is damaged.
        ConfigError: if the device is missing.
    """
    return FishSpeaker(load_fish_checkpoint(locate(model), device=check_device(device)))


def fish_packets(speaker: FishSpeaker, text: str, options: SpeakingOptions) -> Iterator[SpeechPacket]:
    """Samples of a text; its voice is a recording beside a text of the same name, `.txt`.

    Raises:
        FileError: if one of both cannot be read.
        AudioError, TextError, ConfigError: as `FishSpeaker.voice` and `FishSpeaker.stream`.
    """
    voice = _voice(speaker, Path(options.voice)) if options.voice else None
    for samples in speaker.stream(text, voice=voice, sampling=SamplingConfig(seed=options.seed)):
        yield SpeechPacket(samples, ())


def _voice(speaker: FishSpeaker, recording: Path) -> FishTurn:
    text = recording.with_suffix(".txt")
    for path in (recording, text):
        if not path.is_file():
            fix = "With a Fish-Speech, give a recording as --voice, and beside it NAME.txt with what is said in it."
            raise ConfigError("no such file", where=printable(path), fix=fix)
        check_readable(path)
    return speaker.voice(load_audio(recording, rate=speaker.sample_rate), read_text(text))
