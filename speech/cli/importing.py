"""`speech import`: published models of other toolkits as checkpoints of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from speech.cli.console import stderr
from speech.errors import ConfigError
from speech.files import check_writable, printable
from speech.models.checkpoint import Storage, save_checkpoint
from speech.models.espnet_import import import_espnet
from speech.models.hub import locate

_CARD = """# {name}

Imported from `{name}`: an OWSM-CTC model (Peng et al. 2024) in the layout of ESPnet, converted tensor by tensor.
Weights are stored as {storage}. Licence and terms of use are those of the source; the published OWSM-CTC models are
CC-BY-4.0. What the source says of itself is in `SOURCE.md`, if it said anything.

    speech transcribe --model {directory} --language eng FILE

{parameters:.1f} M parameters, {languages} languages, tokens for translation into {targets}. How well it translates has
not been measured here, and no target can be used before `speech targets {directory} MANIFEST --record` has.
"""


def import_model(
    source: Annotated[str, typer.Argument(help="A hub id such as espnet/owsm_ctc_v4_1B, or a copy of its files.")],
    to: Annotated[Path, typer.Option(help="New directory of the checkpoint.")],
    storage: Annotated[Storage, typer.Option(help="Numbers on disk; float32 is faithful to the last bit.")] = (
        Storage.float32
    ),
) -> None:
    """Convert a published OWSM-CTC model; ESPnet is not needed."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError("is there already", where=printable(to), fix="Give a new directory.")
    check_writable(to.parent)
    console = stderr()
    with console.status("fetching"):
        directory = locate(source)
    with console.status("converting"):
        model, tokenizer = import_espnet(directory)
        vocabulary = tokenizer.vocabulary
        parameters = sum(p.numel() for p in model.parameters()) / 1e6
        card = _CARD.format(
            name=source,
            storage=storage,
            directory=to,
            parameters=parameters,
            languages=len(vocabulary.languages),
            targets=f"{len(vocabulary.st_targets)} languages" if vocabulary.st_targets else "none",
        )
        readme = directory / "README.md"
        attached = {"SOURCE.md": readme} if readme.is_file() else {}
        save_checkpoint(to, model, tokenizer, info={"source": source}, card=card, storage=storage, attached=attached)
    console.print(f"{printable(to)}: {parameters:.1f} M parameters, {len(vocabulary.languages)} languages")
