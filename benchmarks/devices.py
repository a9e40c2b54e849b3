"""Live capacity and file speed of a device: `python benchmarks/devices.py --device cuda`.

All sessions receive the same recording, each shifted a little, and are stepped as in a server. The capacity of a device
is the number of sessions whose partial and final results take less time than their audio.
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
    """The clips that ship with the package, with half a second of silence after each, repeated."""
    parts = [part for path in sorted(CLIPS.glob("*.ogg")) for part in (load_audio(path), np.zeros(8000, np.float32))]
    return np.resize(np.concatenate(parts), round(seconds * 16_000))


def live(recognizer: Recognizer, audio: np.ndarray, count: int) -> float:
    """Processing time per second of audio, for `count` concurrent sessions."""
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
    """Processing time per second of audio of a file (RTF)."""
    started = time.perf_counter()
    recognizer.transcribe(audio)
    wait()
    return (time.perf_counter() - started) / (len(audio) / 16_000)


def wait() -> None:
    """Wait until a GPU has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def machine(device: str) -> str:
    """Name of the processor or GPU, for the record."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"


def main() -> None:
    """Print a line per number of sessions, and the record as JSON."""
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
    live(recognizer, audio[:160_000], 2)  # warm-up: compiles and fills caches
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
