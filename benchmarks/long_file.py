"""A one-hour file made of test clips: error rate compared with single clips, peak memory, speed.

    uv run --extra train benchmarks/long_file.py ROOT

`speech transcribe` runs in a separate process, whose peak memory is measured.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
import typer
from rich.console import Console
from rich.progress import track

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer
from speech.text.languages import resolve

GAP_S = 0.5


def main(
    root: Path,
    model: str = EMBEDDED,
    minutes: Annotated[float, typer.Option(help="Length of the file.")] = 60.0,
    seed: int = 0,
) -> None:
    """Print the comparison. Languages without spaces are left out, so that words can be counted across clips."""
    clips = chosen(read_manifest(root / "test.jsonl", root), minutes, seed)
    recognizer = Recognizer.from_pretrained(model)
    alone = ErrorCounts()
    for clip in track(clips, description="one by one", transient=True):
        alone += text_errors(clip.text, recognizer.transcribe(clip.audio).text, ("eng",)).words
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        gap = np.zeros(int(GAP_S * SAMPLE_RATE), np.float32)
        with soundfile.SoundFile(path, "w", SAMPLE_RATE, 1, subtype="PCM_16") as file:
            for clip in clips:
                file.write(np.concatenate([load_audio(clip.audio), gap]))
        start = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "speech.cli.app",
            "transcribe",
            str(path),
            "--model",
            model,
            "--format",
            "json",
        ]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
        elapsed = time.perf_counter() - start
    whole = text_errors(" ".join(clip.text for clip in clips), result["text"], ("eng",)).words
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    console = Console(highlight=False)
    console.print(f"{len(clips)} clips, {result['duration'] / 60:.1f} minutes in one file")
    console.print(f"WER one by one {alone.rate:.4f}, in one file {whole.rate:.4f}")
    console.print(f"peak memory {memory:.2f} GB, RTF {elapsed / result['duration']:.4f} with start-up")


def chosen(utterances: list[Utterance], minutes: float, seed: int) -> list[Utterance]:
    """Clips in random order that fill the time."""
    spaced = [u for u in utterances if resolve(u.language).spaces]
    random.Random(seed).shuffle(spaced)
    clips, seconds = [], 0.0
    for utterance in spaced:
        if seconds >= minutes * 60:
            break
        clips.append(utterance)
        seconds += utterance.duration_s + GAP_S
    return clips


if __name__ == "__main__":
    typer.run(main)
