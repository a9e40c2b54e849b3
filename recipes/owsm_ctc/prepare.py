"""Select a small corpus from a large one: `python recipes/owsm_ctc/prepare.py LARGE_ROOT OUT --source NAME:LANG ...`.

The corpus of the quickstart (`corpus/`) and the clips of the demo (`speech/assets/clips/`) were made with it.
Utterances are sorted by a hash of their id, so that a selection is reproducible.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import DataError
from speech.files import check_writable, printable, replacing

PARTS = ("train", "dev", "test")


def main(
    root: Path,
    output: Path,
    source: Annotated[list[str], typer.Option(help="SOURCE:LANGUAGE, as often as wanted.")],
    train: int = 170,
    dev: int = 10,
    test: int = 30,
    shortest_s: float = 0.5,
    longest_s: float = 12.0,
    flat: Annotated[bool, typer.Option(help="Test part only, as one manifest clips.jsonl.")] = False,
) -> None:
    """Copy audio and write manifests with relative paths."""
    check_writable(output)
    counts = {"train": train, "dev": dev, "test": test}
    for part in ("test",) if flat else PARTS:
        utterances = read_manifest(root / f"{part}.jsonl", check_files=True)
        chosen: list[Utterance] = []
        for name in source:
            corpus, _, language = name.partition(":")
            fitting = [
                u
                for u in utterances
                if u.source == corpus and u.language == language and shortest_s <= u.duration_s <= longest_s
            ]
            if not fitting:
                raise DataError(f"no {part} utterance of {name}", where=str(root))
            chosen += sorted(fitting, key=lambda u: hashlib.sha256(u.id.encode()).digest())[: counts[part]]
        copied = [_copy(utterance, root, output, flat) for utterance in chosen]
        write_manifest(copied, output / ("clips.jsonl" if flat else f"{part}.jsonl"))
        seconds = sum(u.duration_s for u in copied)
        Console().print(f"{part}: {len(copied)} utterances, {seconds / 60:.1f} minutes")


def _copy(utterance: Utterance, root: Path, output: Path, flat: bool) -> Utterance:
    if not utterance.audio.is_relative_to(root.absolute()):
        raise DataError(f"is not below {printable(root)}", where=printable(utterance.audio))
    place = utterance.audio.relative_to(root.absolute())
    target = (output / (place.name if flat else place)).absolute()
    with replacing(target) as temporary:
        shutil.copyfile(utterance.audio, temporary)
    return Utterance(
        id=utterance.id.rsplit("/", 1)[-1] if flat else utterance.id,
        audio=target,
        duration_s=utterance.duration_s,
        language=utterance.language,
        text=utterance.text,
        translations={},
        parallel_id=utterance.parallel_id,
        speaker=utterance.speaker,
        source=utterance.source,
        licence=utterance.licence,
    )


if __name__ == "__main__":
    start_command(main)
