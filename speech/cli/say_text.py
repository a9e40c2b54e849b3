"""What `speech say` does once its options are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn

from speech.audio.output import AudioWriter
from speech.audio.playback import Player, check_player
from speech.choices import EMBEDDED_WATERMARK, AudioEncoding
from speech.cli.console import stderr, to_json
from speech.cli.say import SayRequest
from speech.cli.say_fish import check_options, fish_packets, open_fish, reads_letters
from speech.errors import ConfigError, TextError
from speech.files import printable, replacing, write_atomically
from speech.models.hub import locate
from speech.speaker import Speaker
from speech.transcript import Transcript, Word
from speech.tts.speech_stream import SaidWord, SpeakingOptions, SpeechPacket
from speech.tts.text_front_end.ssml import is_ssml
from speech.tts.voice_blend import blend_name, read_blend
from speech.tts.voice_file import VoiceFile, load_voice
from speech.tts.watermark import WatermarkChoice

Write = Callable[[np.ndarray], None]
"""Takes the next samples `(n,)` float32."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said."""

    words: Sequence[SaidWord]
    samples: int


def say_text(pieces: Iterator[str], request: SayRequest) -> None:
    """Say a text that comes in pieces, and write audio and word times.

    Raises:
        SpeechError: of any kind; no file is written then.
    """
    if request.play:
        check_player()
    if reads_letters(request.model):
        _say_by_letters(pieces, request)
        return
    speaker, options = opened(request)
    first = next(pieces, "")
    if is_ssml(first):
        packets = speaker.stream_ssml(first + "".join(pieces), options)
    else:
        packets = speaker.stream(chain([first], pieces), options)
    said = _written(packets, request, speaker.sample_rate)
    seconds = said.samples / speaker.sample_rate
    if request.words is not None:
        write_atomically(request.words, times(said.words, request.words.suffix, seconds, options.language))
    stderr().print(f"{_named(request)}: {seconds:.1f} s, {len(said.words)} words")


def _say_by_letters(pieces: Iterator[str], request: SayRequest) -> None:
    """Say a text with a Fish-Speech, which tells no words."""
    options, watermark = SpeakingOptions(**request.manner), WatermarkChoice(**request.watermark)
    text = "".join(pieces)
    check_options(options, text, request.words)
    fish = open_fish(request.model, request.device)
    marks = watermark.located(locate(request.model), fish.sample_rate)
    if marks is None and watermark.on and options.voice:
        marks = locate(EMBEDDED_WATERMARK)  # at any rate, since what is marked comes at once
    packets = fish_packets(fish, text, options, marks, watermark.message)
    said = _written(packets, request, fish.sample_rate, wordless=True)
    seconds = said.samples / fish.sample_rate
    stderr().print(f"{_named(request)}: {seconds:.1f} s; licence of the voice: {fish.licence}")


def _named(request: SayRequest) -> str:
    return "played" if request.output is None else printable(request.output)


def _written(packets: Iterator[SpeechPacket], request: SayRequest, rate: int, *, wordless: bool = False) -> Said:
    """Play and write what is said; errors as `spoken`, and no file is written then."""
    with ExitStack() as stack:
        columns = SpinnerColumn(), TextColumn("speaking {task.completed:.1f} s", markup=False)
        progress = stack.enter_context(Progress(*columns, console=stderr(), transient=True))
        task = progress.add_task("speaking", total=None)
        writers: list[Write] = [stack.enter_context(Player(rate)).write] if request.play else []
        if request.output is not None:
            writers.append(stack.enter_context(audio_file(request.output, request.encoding, rate)))
        report = partial(_report, progress, task, rate)
        return spoken(packets, writers, report, wordless=wordless)


def _report(progress: Progress, task: TaskID, rate: int, said: Said) -> None:
    progress.update(task, completed=said.samples / rate)


def opened(request: SayRequest) -> tuple[Speaker, SpeakingOptions]:
    """What says texts, and how; errors as of `Speaker.from_pretrained` and `SpeakingOptions`."""
    voice, files = named_voices(request.manner.get("voice", ""))
    options = SpeakingOptions(**{**request.manner, "voice": voice})
    watermark = WatermarkChoice(**request.watermark)
    speaker = Speaker.from_pretrained(request.model, device=request.device, voices=files, watermark=watermark)
    if request.watermark.get("message") and not speaker.marks:
        raise ConfigError("--message without a watermark that carries it", fix="Give --watermark MODEL.")
    return speaker, options


def named_voices(text: str) -> tuple[str, list[VoiceFile]]:
    """A voice or a blend in which files are replaced by the names of their voices, and these voices.

    Args:
        text: as on the command line; see `is_file_name`.

    Raises:
        ConfigError: if it is no blend, or two of its voices have one name.
        ModelError: if a file is no voice.
    """
    if not text:
        return "", []
    weights = read_blend(text)
    files = {name: load_voice(Path(name)) for name in weights if is_file_name(name)}
    names = [files[name].name if name in files else name for name in weights]
    if len(set(names)) < len(names):
        raise ConfigError(f"two voices of a blend have one name: {', '.join(names)}", fix="Name one of them otherwise.")
    return blend_name(dict(zip(names, weights.values(), strict=True))), list(files.values())


def is_file_name(name: str) -> bool:
    """Whether a voice is meant by its file: names of voices have neither dots nor slashes."""
    return bool(Path(name).suffix) or Path(name).name != name


@contextmanager
def audio_file(path: Path, encoding: AudioEncoding, rate: int) -> Iterator[Write]:
    """Context manager: writes samples to a file, which appears when the block ends without an error.

    Raises:
        FileError: if the system refuses to write it.
        AudioError: if the format does not take the sample rate.
    """
    with replacing(path) as temporary, temporary.open("wb") as file, AudioWriter(file, encoding, rate) as writer:
        yield writer.write


def spoken(
    packets: Iterable[SpeechPacket], writers: Sequence[Write], report: Callable[[Said], None], *, wordless: bool = False
) -> Said:
    """Write what is said; return its words and the number of samples.

    Args:
        report: told after each packet what has been said so far.
        wordless: whether the packets tell no words.

    Raises:
        TextError: if the text has no words.
    """
    words: list[SaidWord] = []
    samples = 0
    for packet in packets:
        for write in writers:
            write(packet.samples)
        words += packet.words
        samples += len(packet.samples)
        report(Said(words, samples))
    if not words and not wordless:
        raise TextError("nothing in the text can be spoken", fix="Give some words.")
    return Said(words, samples)


def times(said: Sequence[SaidWord], suffix: str, seconds: float, language: str) -> str:
    """Word times as JSON or subtitles."""
    if suffix == ".json":
        rows = [word.to_dict() for word in said]
        return to_json({"duration": round(seconds, 3), "language": language, "words": rows}, indent=1) + "\n"
    timed = tuple(Word(word.text, word.start_s, word.end_s, 1.0, language) for word in said)
    text = " ".join(word.text for word in said)
    transcript = Transcript(text, language, 1.0, "tts", seconds, timed)
    return transcript.to_srt() if suffix == ".srt" else transcript.to_vtt()
