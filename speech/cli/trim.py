"""`speech trim`: shrink the vocabulary of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speech.cli.console import stdout
from speech.errors import ConfigError
from speech.files import check_writable, printable
from speech.models.checkpoint import Storage, load_checkpoint, save_checkpoint
from speech.models.hub import locate
from speech.models.hybrid import is_hybrid, save_beside_label
from speech.models.trimming import trim
from speech.text.lines import read_lines
from speech.text.normalize import plain_text


def trim_model(
    model: Annotated[str, typer.Argument(help="Model: embedded, a directory, or a hub id.")],
    texts: Annotated[
        Path, typer.Option(help="UTF-8 file with one text per line: what the model must still be able to write.")
    ],
    to: Annotated[Path, typer.Option(help="New folder for the smaller model.")],
    storage: Annotated[Storage, typer.Option(help="Number format of its weights on disk.")] = Storage.float32,
) -> None:
    """Make a model smaller: keep only the tokens that given texts need. Their scores stay the same to the last bit.

    The label decoder of a hybrid model is not changed.
    """
    if to.exists():
        raise ConfigError("already exists", where=printable(to), fix="Name a new folder.")
    lines = read_lines(texts)
    folder = locate(model)
    check_writable(to.parent)
    found = trim(load_checkpoint(folder), [plain_text(line) for line in lines if line.strip()])
    card = (folder / "README.md").read_text("utf-8") if (folder / "README.md").is_file() else f"# {folder.name}\n"
    note = f"\n## Trimmed\n\n{found.tokens[1]} of {found.tokens[0]} tokens, those that `{texts.name}` needs.\n"
    if is_hybrid(folder):
        save_beside_label(to, found.checkpoint, folder, card=card + note, storage=storage)
    else:
        save_checkpoint(
            to,
            found.checkpoint.model,
            found.checkpoint.tokenizer,
            info=found.checkpoint.info,
            card=card + note,
            storage=storage,
            targets=found.checkpoint.targets,
        )
    console = stdout()
    for name, (before, after) in (
        ("tokens", found.tokens),
        ("parameters of the head that writes", found.written),
        ("parameters of the model", found.parameters),
    ):
        console.print(f"{name}: {before:,} -> {after:,}")
    console.print(printable(to))
