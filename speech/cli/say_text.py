"""What `speech say` does once its options are checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn

from speech.audio.output import AudioWriter
from speech.choices import AudioEncoding
from speech.cli.console import stderr, to_json
from speech.cli.say_fish import check_options, fish_packets, open_fish, reads_letters
from speech.errors import TextError
from speech.files import printable, replacing, write_atomically
from speech.speaker import Speaker
from speech.transcript import Transcript, Word
from speech.tts.speech_stream import SaidWord, SpeakingOptions, SpeechPacket

_SSML = "<speak"


def say_text(
    pieces: Iterator[str],
    manner: Mapping[str, Any],
    *,
    model: str,
    device: str,
    output: Path,
    encoding: AudioEncoding,
    words: Path | None,
) -> None:
    """Say a text that comes in pieces, and write audio and word times.

    Args:
        manner: fields of `SpeakingOptions`.
        words: file for the times, `.json`, `.srt` or `.vtt`.

    Raises:
        SpeechError: of any kind; no file is written then.
    """
    options = SpeakingOptions(**manner)
    if reads_letters(model):
        text = "".join(pieces)
        check_options(options, text, words)
        fish = open_fish(model, device)
        _, samples = _write(fish_packets(fish, text, options), fish.sample_rate, output, encoding)
        stderr().print(f"{printable(output)}: {samples / fish.sample_rate:.1f} s; licence of the voice: {fish.licence}")
        return
    speaker = Speaker.from_pretrained(model, device=device)
    said, samples = _write(_spoken(speaker, pieces, options), speaker.sample_rate, output, encoding)
    seconds = samples / speaker.sample_rate
    if words is not None:
        write_atomically(words, _times(said, words.suffix, seconds, options.language))
    stderr().print(f"{printable(output)}: {seconds:.1f} s, {len(said)} words")


def _spoken(speaker: Speaker, pieces: Iterator[str], options: SpeakingOptions) -> Iterator[SpeechPacket]:
    """Packets of a text or of markup.

    Raises:
        TextError: behind the last one, if the text has no words.
    """
    first, words = next(pieces, ""), 0
    if first.lstrip().startswith(_SSML):
        packets = speaker.stream_ssml(first + "".join(pieces), options)
    else:
        packets = speaker.stream(chain([first], pieces), options)
    for packet in packets:
        words += len(packet.words)
        yield packet
    if not words:
        raise TextError("nothing in the text can be spoken", fix="Give some words.")


def _write(
    packets: Iterator[SpeechPacket], sample_rate: int, output: Path, encoding: AudioEncoding
) -> tuple[list[SaidWord], int]:
    """Write what is said; return its words and the number of samples. If a packet fails, the file is not written."""
    said: list[SaidWord] = []
    total = 0
    with ExitStack() as stack:
        columns = SpinnerColumn(), TextColumn("speaking {task.completed:.1f} s", markup=False)
        progress = stack.enter_context(Progress(*columns, console=stderr(), transient=True))
        task = progress.add_task("speaking", total=None)
        file = stack.enter_context(stack.enter_context(replacing(output)).open("wb"))
        writer = stack.enter_context(AudioWriter(file, encoding, sample_rate))
        for packet in packets:
            writer.write(packet.samples)
            said += packet.words
            total += len(packet.samples)
            progress.update(task, completed=total / sample_rate)
    return said, total


def _times(said: list[SaidWord], suffix: str, seconds: float, language: str) -> str:
    """Word times as JSON or subtitles."""
    if suffix == ".json":
        rows = [word.to_dict() for word in said]
        return to_json({"duration": round(seconds, 3), "language": language, "words": rows}, indent=1) + "\n"
    timed = tuple(Word(word.text, word.start_s, word.end_s, 1.0, language) for word in said)
    text = " ".join(word.text for word in said)
    transcript = Transcript(text, language, 1.0, "tts", seconds, timed)
    return transcript.to_srt() if suffix == ".srt" else transcript.to_vtt()
