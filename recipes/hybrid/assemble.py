"""Make a hybrid model: `python recipes/hybrid/assemble.py CTC LABEL OUTPUT --data CORPUS`.

The weight of CTC, and the languages in which it is used, are tuned on dev.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.progress import track
from rich.table import Table
from tune import choose, trials

from speech.choices import Storage
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest
from speech.decode.label.joint import JointConfig
from speech.files import check_readable, check_writable, read_text
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON, load_checkpoint, load_label_checkpoint
from speech.models.hub import locate
from speech.models.hybrid import Hybrid, save_hybrid
from speech.recognizer import Recognizer

_ATTACHED = (LANGUAGE_MODEL, LEXICON, "metrics.jsonl", "learning_curve.png")


def main(
    ctc: Annotated[str, typer.Argument(help="CTC model: embedded, a directory or a hub id.")],
    label: Annotated[str, typer.Argument(help="Label model, a directory: what recipes/hybrid/train.py wrote.")],
    output: Annotated[Path, typer.Argument(help="Directory to write.")],
    data: Annotated[Path, typer.Option(help="Folder with dev.jsonl.")],
    beam: Annotated[int, typer.Option(help="Hypotheses of the label decoder.", min=1)] = 5,
    most: Annotated[int, typer.Option(help="Utterances of each language to tune on.", min=1)] = 60,
    storage: Storage = Storage.int8,
    card: Annotated[Path | None, typer.Option(help="Model card; otherwise that of the CTC model with a line.")] = None,
) -> None:
    """Combine a CTC model and a label model, and tune their joint decoding on dev."""
    check_writable(output)
    if card is not None:
        check_readable(card)
    dev = _chosen(read_manifest(data / "dev.jsonl", data, check_files=True), most)
    folders = locate(ctc), locate(label)
    hybrid = Hybrid(load_checkpoint(folders[0]), load_label_checkpoint(folders[1]), JointConfig(beam=beam))
    files = [*_ATTACHED, *(path.name for path in folders[0].glob("training*.json"))]
    attached = {name: folders[0] / name for name in files if (folders[0] / name).is_file()}
    cards = read_text(card or folders[0] / "README.md"), read_text(folders[1] / "README.md")
    save = partial(save_hybrid, card=cards[0], label_card=cards[1], storage=storage, attached=attached)
    with TemporaryDirectory(dir=output.absolute().parent, prefix=".untuned-") as untuned:
        save(Path(untuned) / "model", hybrid)
        recognizer = Recognizer.from_pretrained(str(Path(untuned) / "model"))  # as it will be used, in int8
        joint, table = choose(list(trials(recognizer.second_pass, dev, _shown)), hybrid.joint)
    save(output, replace(hybrid, joint=joint))
    _print(table)
    stdout().print(f"CTC counts {joint.ctc_weight:g} in {', '.join(joint.learnt) or 'no language'}\nhybrid: {output}")
    stdout().print(json.dumps(table))


def _chosen(utterances: Iterable[Utterance], most: int) -> list[Utterance]:
    """The first `most` utterances of each language."""
    counts: dict[str, int] = {}
    chosen = []
    for utterance in utterances:
        counts[utterance.language] = counts.get(utterance.language, 0) + 1
        if counts[utterance.language] <= most:
            chosen.append(utterance)
    return chosen


def _shown(utterances: Iterable[Utterance]) -> Iterable[Utterance]:
    return track(list(utterances), "tuning on dev", console=stderr(), transient=True)


def _print(table: dict[str, dict[str, float]]) -> None:
    columns = list(next(iter(table.values()), {}))
    shown = Table(title="WER on dev by weight of CTC", title_justify="left")
    for name in ("language", *columns):
        shown.add_column(name, justify="left" if name == "language" else "right")
    for code, row in table.items():
        shown.add_row(code, *(f"{row[name]:g}" for name in columns))
    stdout().print(shown)


if __name__ == "__main__":
    start_command(main)
