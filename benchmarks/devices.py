"""How many live sessions a device can serve, and how fast it reads files: `python benchmarks/devices.py --device cuda`.

Sessions hear the same recording, each a little later than the last; all of them are stepped as a server steps them. A
device serves as many as it can give partial and final results to in less time than their audio takes.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import torch

from speech import Recognizer, __version__
from speech.audio.input.files import load_audio
from speech.models.precision import Precision
from speech.stream.session import StreamOptions

CLIPS = Path(__file__).parent.parent / "speech" / "assets" / "clips"
PIECE = 1600


def recording(seconds: float) -> np.ndarray:
    """The clips that come with the package, with half a second behind each, again and again."""
    parts = [part for path in sorted(CLIPS.glob("*.ogg")) for part in (load_audio(path), np.zeros(8000, np.float32))]
    return np.resize(np.concatenate(parts), round(seconds * 16_000))


def live(recognizer: Recognizer, audio: np.ndarray, count: int) -> float:
    """Seconds of work for each second of audio of so many sessions together."""
    engine = recognizer.engine()
    sessions = [engine.open(StreamOptions()) for _ in range(count)]
    lines = [np.roll(audio, -number * 4000) for number in range(count)]
    started = time.perf_counter()
    for start in range(0, len(audio), PIECE):
        for session, line in zip(sessions, lines, strict=True):
            session.push(line[start : start + PIECE])
        engine.run(sessions)
        for session in sessions:
            session.drain()
    wait()
    return (time.perf_counter() - started) / (len(audio) / 16_000)


def offline(recognizer: Recognizer, audio: np.ndarray) -> float:
    """Seconds of work for each second of a file."""
    started = time.perf_counter()
    recognizer.transcribe(audio)
    wait()
    return (time.perf_counter() - started) / (len(audio) / 16_000)


def wait() -> None:
    """For what a GPU was asked to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine(device: str) -> str:
    """What it is, for the record."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def main() -> None:
    """Print a line for each number of sessions, and the record as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--precision", default="auto", choices=list(Precision))
    parser.add_argument("--seconds", type=float, default=60.0, help="of audio of each session")
    parser.add_argument("--most", type=int, default=256, help="sessions")
    options = parser.parse_args()
    recognizer = Recognizer.from_pretrained(
        options.model, device=options.device, precision=Precision(options.precision)
    )
    audio = recording(options.seconds)
    live(recognizer, audio[:160_000], 2)  # compiles, and warms caches
    record = {
        "device": options.device,
        "machine": machine(options.device),
        "torch": torch.__version__,
        "speech": __version__,
        "model": options.model,
        "precision": options.precision,
        "file_rtf": round(offline(recognizer, audio), 4),
        "live": {},
    }
    sys.stdout.write(f"file: RTF {record['file_rtf']}\n")
    count = 1
    while count <= options.most:
        load = live(recognizer, audio, count)
        record["live"][count] = round(load, 4)
        sys.stdout.write(f"{count} sessions: {load:.3f} s of work a second\n")
        if load >= 1:
            break
        count *= 2
    sys.stdout.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
