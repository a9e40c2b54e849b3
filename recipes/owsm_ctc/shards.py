"""Write speech as tar shards: `python recipes/owsm_ctc/shards.py MANIFEST OUT [--root CORPUS]`.

`python recipes/owsm_ctc/train.py data.shards=OUT data.root=CORPUS` trains on them. An interrupted run resumes with the
first incomplete shard.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speech.cli.console import stdout
from speech.cli.recipe import start_command
from speech.data.manifest import read_manifest
from speech.data.shards import n_shards, write_shards
from speech.files import check_writable


class Format(StrEnum):
    """Audio format."""

    flac = "flac"
    opus = "opus"


def main(
    manifest: Path,
    output: Path,
    root: Annotated[Path | None, typer.Option(help="Relative audio paths start here, not at the manifest.")] = None,
    size: Annotated[int, typer.Option(help="Utterances of a shard.")] = 1000,
    audio_format: Annotated[
        Format, typer.Option("--format", help="FLAC keeps 16-bit samples exactly; Opus is small and lossy.")
    ] = Format.flac,
) -> None:
    """Read each file once and write it as mono at 16 kHz."""
    check_writable(output)
    utterances = read_manifest(manifest, root, check_files=True)
    write_shards(utterances, output, size, audio_format.value)
    hours = sum(utterance.duration_s for utterance in utterances) / 3600
    stdout().print(f"{output}: {len(utterances)} utterances, {hours:.2f} hours, {n_shards(output)} shards")


if __name__ == "__main__":
    start_command(main)
