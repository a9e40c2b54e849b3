"""`speech demo`: run the embedded model on the clips that ship with the package."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from speech.cli.console import stdout
from speech.data.manifest import Utterance, read_manifest
from speech.errors import SpeechError
from speech.files import check_writable, printable, write_atomically
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer
from speech.text.languages import resolve
from speech.text.normalize import plain_text
from speech.transcript import Transcript


def demo(
    output_dir: Annotated[Path, typer.Option(help="Folder for the subtitles.")] = Path("demo"),
    model: Annotated[str, typer.Option(help="Model: embedded, a directory, or a hub id.")] = EMBEDDED,
) -> None:
    """Transcribe the shipped clips: reference, hypothesis, language, words with times, error rate, speed."""
    console = stdout()
    check_writable(output_dir)
    manifest = Path(str(files("speech") / "assets" / "clips" / "clips.jsonl"))
    clips = read_manifest(manifest, check_files=True)
    start = time.monotonic()
    recognizer = Recognizer.from_pretrained(model)
    console.print(f"model loaded in {time.monotonic() - start:.2f} s")
    recognizer.transcribe(clips[0].audio)  # warm-up: the first call allocates buffers
    start = time.monotonic()
    results = list(recognizer.transcribe_files([clip.audio for clip in clips]))
    elapsed = time.monotonic() - start
    total, hits = ErrorCounts(), 0
    for clip, (_, result) in zip(clips, results, strict=True):
        if isinstance(result, SpeechError):
            raise result
        total += text_errors(clip.text, result.text, clip.languages).words
        hits += result.language == clip.language
        _show(console, clip, result)
        write_atomically(output_dir / f"{clip.id}.srt", result.to_srt())
    audio_s = sum(clip.duration_s for clip in clips)
    console.print(
        f"\n{len(clips)} clips, {len({c.language for c in clips})} languages: WER {total.rate:.3f} "
        f"(CER where no spaces), language right in {hits} of {len(clips)}, "
        f"{audio_s:.1f} s of audio in {elapsed:.2f} s, RTF {elapsed / audio_s:.3f}"
    )
    console.print(f"subtitles: {printable(output_dir / f'{clips[0].id}.srt')} and {len(clips) - 1} more")


def _show(console: Console, clip: Utterance, result: Transcript) -> None:
    errors = text_errors(clip.text, result.text, clip.languages).words
    table = Table(show_header=False, box=None, padding=(0, 1), title_justify="left")
    heard = "nothing"
    if result.language_probability is not None:
        heard = f"{resolve(result.language).name} ({result.language_probability:.2f})"
    about = f"  {clip.duration_s:.1f} s  heard as {heard}  WER {errors.rate:.2f}"
    spoken = " and ".join(resolve(code).name for code in clip.languages)
    table.title = Text.assemble((spoken, "bold"), about)
    table.add_row("reference", plain_text(clip.text))
    table.add_row("hypothesis", result.text)
    mixed = len({word.language for word in result.words}) > 1
    words = [
        Text.assemble(f"{w.text} ", (f"{w.start_s:.2f}-{w.end_s:.2f}", "dim"), f" {w.language}" if mixed else "")
        for w in result.words
    ]
    table.add_row("words", Text("  ").join(words))
    console.print()
    console.print(table)
