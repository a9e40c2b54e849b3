"""Join corpora of `recipes/tts/teacher_corpus.py` into one to train a voice of several languages on:

    uv run python recipes/tts/join_corpora.py OUTPUT ENG SPA FRA

Writes manifests that name the audio where it is, and the durations of all: train.jsonl, dev.jsonl, written.jsonl and
alignments/. An utterance whose id occurs twice is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from safetensors.torch import save

from speech.cli.console import stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.data.mixing import hours_per_language
from speech.errors import ConfigError, DataError
from speech.files import check_writable, write_atomically
from speech.train.speech_lm.alignments import read_alignments

_PARTS = ("train", "dev")
_WRITTEN = "written"


def main(
    output: Annotated[Path, typer.Argument(help="Folder of the joint corpus.")],
    corpora: Annotated[list[Path], typer.Argument(help="Folders with manifests and alignments/.")],
    most_hours: Annotated[
        float | None, typer.Option(help="Of a corpus: its first utterances; others are left out.", min=0.001)
    ] = None,
) -> None:
    """Join corpora of phonemes, durations and speech."""
    check_writable(output)
    if output.absolute() in [corpus.absolute() for corpus in corpora]:
        raise ConfigError(f"{output} is one of the corpora", fix="Write to another folder.")
    (output / "alignments").mkdir(exist_ok=True)
    for part in (*_PARTS, _WRITTEN):
        together: dict[str, Utterance] = {}
        for corpus in corpora:
            for utterance in _first(read_manifest(corpus / f"{part}.jsonl"), most_hours):
                if utterance.id in together:
                    raise DataError(f"{utterance.id} occurs twice", where=str(corpus / f"{part}.jsonl"))
                together[utterance.id] = utterance
        write_manifest(together.values(), output / f"{part}.jsonl")
        if part in _PARTS:
            path = output / "alignments" / f"{part}.safetensors"
            found = {
                name: own
                for corpus in corpora
                for name, own in read_alignments(corpus / "alignments" / f"{part}.safetensors").items()
                if name in together
            }
            write_atomically(path, save(found))
            hours = ", ".join(
                f"{code} {own:.2f} h" for code, own in sorted(hours_per_language(together.values()).items())
            )
            stdout().print(f"{part}: {len(together)} utterances, {hours}")


def _first(utterances: Sequence[Utterance], most_hours: float | None) -> Sequence[Utterance]:
    """The first utterances, up to so many hours."""
    total = 0.0
    for number, utterance in enumerate(utterances):
        total += utterance.duration_s / 3600
        if most_hours is not None and total > most_hours:
            return utterances[: max(number, 1)]
    return utterances


if __name__ == "__main__":
    start_command(main)
