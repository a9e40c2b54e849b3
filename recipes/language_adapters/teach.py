"""Transcribe speech with a teacher: `python recipes/language_adapters/teach.py ROOT OUT --language CODE ...`.

OUT is a manifest for `train.py pseudo=OUT`. Uses the utterances of the training manifest that `train.py` leaves out
with the same share `hidden`, or with `--manifest` all utterances of another manifest.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from speech import Recognizer
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import ConfigError
from speech.files import check_writable
from speech.recognize.request import Request
from speech.train.adapters.run import is_hidden
from speech.train.asr.noisy_student import Lesson, Sureness, teach
from speech.transcript import Transcript


def main(
    root: Path,
    output: Path,
    language: Annotated[list[str], typer.Option(help="ISO 639-3, as often as wanted.")],
    model: str = "embedded",
    adapters: Annotated[Path | None, typer.Option(help="Of the teacher; none: those beside the model.")] = None,
    manifest: Annotated[str, typer.Option(help="Of speech without transcripts, relative to ROOT.")] = "",
    hidden: float = 0.5,
    least: Annotated[float, typer.Option(help="Confidence from which a transcript is believed.")] = 0.5,
    share: Annotated[float, typer.Option(help="At most this share of each language, the surest.")] = 1.0,
    beam: int = 8,
) -> None:
    """Write the teacher's confident transcripts as a manifest."""
    sureness = Sureness(least=least, share=share)
    if not 0 <= hidden < 1:
        raise ConfigError(f"--hidden {hidden:g}, expected at least 0 and less than 1")
    check_writable(output.absolute().parent)
    recognizer = Recognizer.from_pretrained(model, adapters=adapters, beam=beam)
    utterances = [
        u
        for u in read_manifest(root / (manifest or "train.jsonl"), root)
        if u.language in language and (manifest or is_hidden(u, hidden))
    ]

    def transcribe(asked: Sequence[Utterance]) -> Iterator[Transcript]:
        for utterance in asked:
            yield recognizer.transcribe(utterance.audio, language=utterance.language)

    for code in language:
        recognizer.check(Request.parse(code))
    lesson = teach(utterances, transcribe, sureness)
    write_manifest([taught.utterance for taught in lesson.kept], output)
    _print(lesson, language)


def _print(lesson: Lesson, languages: Sequence[str]) -> None:
    table = Table(title="taught", title_justify="left")
    for name in ("language", "kept", "dropped", "minutes kept", "CER of the kept", "of the dropped"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for code in languages:
        kept, dropped = ([t for t in part if t.utterance.language == code] for part in lesson)
        minutes = sum(t.utterance.duration_s for t in kept) / 60
        rates = (Lesson.error_rate(kept), Lesson.error_rate(dropped))
        table.add_row(code, str(len(kept)), str(len(dropped)), f"{minutes:.1f}", *(f"{rate:.3f}" for rate in rates))
    Console().print(table)


if __name__ == "__main__":
    start_command(main)
