"""`speech adapters transfer`: move an adapter to a newer base model and measure how much of its gain is kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from speech.cli.console import stdout
from speech.data.manifest import Utterance, read_manifest
from speech.errors import DataError, FileError, LanguageError, ModelError, SpeechError
from speech.files import check_writable, printable, reason
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.adapters.file import FOLDER, AdapterFile, load_adapter, save_adapter
from speech.models.adapters.store import SUFFIX
from speech.models.adapters.transfer import transfer
from speech.models.hub import locate
from speech.nn.adapters import AdapterBank
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.text.languages import resolve

_MANIFESTS = ("test", "dev")


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """WER and CER of a language's utterances."""

    words: float
    characters: float


def transfer_adapter(
    file: Annotated[Path, typer.Argument(help="Adapter file.")],
    source: Annotated[str, typer.Option("--from", help="Base model that the adapter was trained with.")],
    to: Annotated[str, typer.Option(help="Newer base model, trained further from that one.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder with test.jsonl or dev.jsonl to measure the result on.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="New adapter file. [default: beside the newer base model]")
    ] = None,
) -> None:
    """Transfer an adapter to a newer base model, without training."""
    console = stdout()
    old, new = locate(source), locate(to)
    item = transfer(file, old, new)
    target = output or new / FOLDER / f"{item.language}{SUFFIX}"
    if target.exists():
        raise ModelError("already exists", where=str(target), fix="Remove it first, or give another --output.")
    if data is not None:
        name, utterances = _utterances(data, item.language)
        check_writable(target.parent)
        before = [_score(old, None, utterances), _score(old, load_adapter(file), utterances)]
        after = [_score(new, None, utterances), _score(new, item, utterances)]
        where = f"{data / name}.jsonl, {len(utterances)} of {resolve(item.language).name}, best token of each frame:"
        console.print(where)
        console.print(_table(before, after))
        if after[1] is not None:
            scores = {f"{name}_wer": round(after[1].words, 4), f"{name}_cer": round(after[1].characters, 4)}
            item = dataclasses.replace(item, scores=scores)
    try:
        save_adapter(target, item)
    except OSError as error:
        raise FileError(f"cannot be written: {reason(error)}", where=printable(target)) from error
    console.print(f"{printable(target)}: for {printable(new)}")


def _utterances(folder: Path, code: str) -> tuple[str, list[Utterance]]:
    for name in _MANIFESTS:
        if (folder / f"{name}.jsonl").is_file():
            found = [item for item in read_manifest(folder / f"{name}.jsonl") if item.language == code]
            if not found:
                raise DataError(f"has no utterance of {code!r}", where=str(folder / f"{name}.jsonl"))
            return name, found
    raise DataError("has no test.jsonl and no dev.jsonl", where=str(folder))


def _score(base: Path, item: AdapterFile | None, utterances: list[Utterance]) -> ErrorRates | None:
    """Greedy decoding with the language given; None if the base model without an adapter does not support it."""
    recognizer = Recognizer.from_pretrained(str(base), beam=1)
    request = Request((utterances[0].language,))
    recognizer.adapters = None if item is None else AdapterBank({item.language: item.adapter})
    try:
        recognizer.check(request)
    except LanguageError:
        return None
    words, characters = ErrorCounts(), ErrorCounts()
    found = recognizer.transcribe_files([item.audio for item in utterances], request)
    for utterance, (_, result) in zip(utterances, found, strict=True):
        if isinstance(result, SpeechError):
            raise result
        own = text_errors(utterance.text, result.text, utterance.languages)
        words += own.words
        characters += own.characters
    return ErrorRates(words.rate, characters.rate)


def _table(before: list[ErrorRates | None], after: list[ErrorRates | None]) -> Table:
    table = Table()
    for name in ("", "WER", "CER"):
        table.add_column(name, justify="right" if name else "left")
    for name, scores in zip(
        ("old base", "old base, adapter", "new base", "new base, adapter"), before + after, strict=True
    ):
        table.add_row(name, *(["-", "-"] if scores is None else [f"{scores.words:.4f}", f"{scores.characters:.4f}"]))
    table.add_section()
    kept = [_kept(before, after, kind) for kind in ("words", "characters")]
    table.add_row("gain that is kept", *("-" if share is None else f"{share:.0%}" for share in kept))
    return table


def _kept(before: list[ErrorRates | None], after: list[ErrorRates | None], kind: str) -> float | None:
    """Gain of the adapter on the new base as a share of its gain on the old one; None if it had none there."""
    if None in before or None in after:
        return None
    (old, adapted), (new, moved) = ([getattr(scores, kind) for scores in side] for side in (before, after))
    return (new - moved) / (old - adapted) if old > adapted else None
