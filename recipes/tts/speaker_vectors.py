"""Voice vectors of the speakers of manifests, for `speakers=` of `recipes/tts/train.py`:

    uv run --extra speech-scores python recipes/tts/speaker_vectors.py OUTPUT.safetensors MANIFEST...

Of each speaker some utterances are read, evenly from all; the vector is the mean of theirs, of length 1. Utterances
without a speaker are left out. The network is that of the package `resemblyzer` (256 numbers: model.speaker_dim=256).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest
from speech.errors import DataError
from speech.files import check_writable
from speech.metrics.speech_quality.voice import VoiceEncoder, speaker_vector
from speech.tensors import save_tensors


def main(
    output: Annotated[Path, typer.Argument(help="Safetensors file: speaker -> vector.")],
    manifests: Annotated[list[Path], typer.Argument(help="With a speaker for each utterance.")],
    utterances: Annotated[int, typer.Option(help="Maximum of each speaker.", min=1)] = 20,
) -> None:
    """Write the voice vectors of speakers."""
    check_writable(output.parent)
    spoken: dict[str, list[Utterance]] = {}
    for manifest in manifests:
        for utterance in read_manifest(manifest):
            if utterance.speaker:
                spoken.setdefault(utterance.speaker, []).append(utterance)
    if not spoken:
        raise DataError("no utterance has a speaker", where=str(manifests[0]))
    encoder = VoiceEncoder(Vad())
    found = {}
    for name, own in track(sorted(spoken.items()), "listening", console=stderr(), transient=True):
        chosen = own[:: -(-len(own) // utterances)]
        vector = speaker_vector(encoder, (load_audio(one.audio) for one in chosen))
        if vector is None:
            raise DataError(f"speaker {name} says nothing in {len(chosen)} utterances", where=str(chosen[0].audio))
        found[name] = vector
    save_tensors(output, found)
    stdout().print(f"{output}: {len(found)} speakers")


if __name__ == "__main__":
    start_command(main)
