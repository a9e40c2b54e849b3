"""Readers that stand for a model in workers, and load in no time."""

import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from speech.errors import AudioError, ModelError
from speech.transcript import Transcript


def read(log: Path, path: str) -> Transcript:
    """Stands for a model: what is read is written down; some files are bad, some kill."""
    with log.open("a") as file:
        file.write(f"{Path(path).name}\n")
    if "bad" in path:
        raise AudioError("is not audio", where=path)
    if "strange" in path:
        raise RuntimeError("no memory")
    if "kill" in path:
        os.kill(os.getpid(), signal.SIGKILL)
    if "once" in path and log.read_text().count(Path(path).name) == 1:
        os._exit(3)
    return Transcript(Path(path).stem, "eng", 1.0, "asr", 1.0, ())


def open_read(log: Path):
    return partial(read, log)


def open_nothing():
    raise ModelError("no such model")


def open_and_die():
    os._exit(7)


def open_and_fail():
    raise RuntimeError("the disk is full")


def open_and_hang():
    time.sleep(3600)


def hang(log: Path, path: str) -> Transcript:
    if "hang" in path:
        time.sleep(3600)
    return read(log, path)


def open_hang(log: Path):
    return partial(hang, log)


def surroundings(path: str) -> Transcript:
    """Says where it is read, and whether the file is there."""
    known = {"executable": sys.executable, "folder": str(Path.cwd()), "there": Path(path).is_file()}
    return Transcript(json.dumps(known), "eng", 1.0, "asr", 1.0, ())


def open_surroundings():
    return surroundings


def said(text: str, path: str) -> Transcript:
    return Transcript(text, "eng", 1.0, "asr", 1.0, ())


def open_at(place: str):
    """Answers with its place, whatever it is asked."""
    return partial(said, place)


def open_with_gpu():
    """Answers with the GPU that it was given."""
    return partial(said, os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
