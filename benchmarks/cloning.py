"""How much voices resemble the ten seconds of speech that they were made of.

    python benchmarks/cloning.py embedded-voice ROOT --output benchmarks/results/cloning.json

Of each speaker of the sources, those with the most speech first, clips are joined to ten seconds, from which a voice is
made with their texts, and to ten others, which are only listened to. The voice then says the first sentences of
`benchmarks/sentences/LANGUAGE.txt`, with its watermark. Similarity is the cosine of resemblyzer's vectors: of what the
voice says to the recording that it was made of (own), to the other one (other), and of these two (real: the ceiling).
Nearest: whether what the voice says is more like its own recording than like those of all other speakers.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import soundfile
import soxr
import torch
import typer
from clips import save, table
from rich.console import Console
from rich.progress import track
from speech_output import sentences
from timing import machine

from speech.audio import SAMPLE_RATE
from speech.audio.vad import Vad
from speech.data.manifest import Utterance, read_manifest
from speech.data.reading import read_audio
from speech.metrics.speech_quality.opinions import DistillMos
from speech.metrics.speech_quality.voice import VoiceEncoder, similarity
from speech.recognizer import Recognizer
from speech.speaker import Speaker
from speech.tts.cloning import CloneRequest
from speech.tts.speech_stream import SpeakingOptions

SOURCES = "rhasspy_kerstin_de,african_storybook,asterisk_core_sounds,ljspeech_part_en,daniel_dona_es"
LANGUAGES = ("eng", "spa", "fra", "ita", "por", "deu")
_PART_S, _LEAST_S, _GAP_S = 10.0, 1.5, 0.25
_STRANGE = set("[]()<>*_/\\#&")


class Person(NamedTuple):
    """A speaker with two recordings, samples `(n,)` at 16 kHz."""

    name: str
    language: str
    heard: np.ndarray
    text: str
    other: np.ndarray


def people(root: Path, sources: Sequence[str], count: int) -> list[Person]:
    """The speakers with the most speech."""
    known = [
        one
        for part in ("train", "dev", "test")
        for one in read_manifest(root / f"{part}.jsonl", root)
        if one.source in sources and one.language in LANGUAGES and one.duration_s >= _LEAST_S
    ]
    clear = sorted((one for one in known if not _STRANGE & set(one.text)), key=_speaker)
    groups = [list(own) for _, own in groupby(clear, key=_speaker)]
    groups.sort(key=lambda own: -sum(one.duration_s for one in own))
    return [_person(own) for own in groups[:count]]


def _speaker(one: Utterance) -> tuple[str, str, str]:
    return one.source, one.speaker, one.language


def _person(own: list[Utterance]) -> Person:
    random.Random(0).shuffle(own)
    first, rest = _part(own)
    other, _ = _part(rest)
    source, speaker, language = _speaker(own[0])
    return Person(f"{source} {speaker}", language, _joined(first), " ".join(one.text for one in first), _joined(other))


def _part(own: Sequence[Utterance]) -> tuple[Sequence[Utterance], Sequence[Utterance]]:
    """Clips of ten seconds together, and all behind them."""
    seconds, count = 0.0, 0
    while seconds < _PART_S and count < len(own):
        seconds, count = seconds + own[count].duration_s + _GAP_S, count + 1
    return own[:count], own[count:]


def _joined(own: Sequence[Utterance]) -> np.ndarray:
    gap = np.zeros(round(_GAP_S * SAMPLE_RATE), np.float32)
    return np.concatenate([part for one in own for part in (read_audio(one), gap)])


def cloned(model: str, person: Person, sentence_count: int) -> tuple[np.ndarray, float]:
    """What the voice of a person says at 16 kHz, the seconds it took to make."""
    speaker = Speaker.from_pretrained(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heard.wav"
        soundfile.write(path, person.heard, SAMPLE_RATE)
        begun = time.perf_counter()
        wanted = CloneRequest(name="clone", language=person.language, consent="For a benchmark.", text=person.text)
        voice = speaker.cloner(Recognizer.from_pretrained()).clone(path, wanted)
        seconds = time.perf_counter() - begun
    able = Speaker.from_pretrained(model, voices=[voice])
    texts = sentences(person.language)[:sentence_count]
    options = SpeakingOptions(language=person.language, voice="clone")
    said = np.concatenate([able.say(text, options).samples for text in texts])
    return _heard(said, able.sample_rate), seconds


def _heard(samples: np.ndarray, rate: int) -> np.ndarray:
    return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), np.float32)


def main(
    model: Annotated[str, typer.Argument(help="Voice model that imitates recordings.")],
    root: Annotated[Path, typer.Argument(help="Folder with train.jsonl, dev.jsonl, test.jsonl and the audio.")],
    sources: Annotated[str, typer.Option(help="Sources with one person per speaker, with commas between.")] = SOURCES,
    speakers: Annotated[int, typer.Option(help="How many.")] = 10,
    sentence_count: Annotated[int, typer.Option("--sentences", help="Said by each voice.")] = 6,
    mos: Annotated[bool, typer.Option("--mos", help="Predict naturalness too (package distillmos).")] = False,
    threads: Annotated[int, typer.Option(help="Of the process.")] = 2,
    output: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Print the table."""
    torch.set_num_threads(threads)
    encoder, opinions = VoiceEncoder(Vad()), DistillMos() if mos else None
    persons = people(root, sources.split(","), speakers)
    real = [_vector(encoder, person.heard) for person in persons]
    rows: list[dict[str, Any]] = []
    console = Console(stderr=True)
    for person, own in track(list(zip(persons, real, strict=True)), description="speakers", console=console):
        said, seconds = cloned(model, person, sentence_count)
        vector, other = _vector(encoder, said), _vector(encoder, person.other)
        row = {
            "speaker": person.name,
            "language": person.language,
            "own": round(similarity(vector, own), 3),
            "other": round(similarity(vector, other), 3),
            "real": round(similarity(own, other), 3),
            "nearest": bool(np.argmax([similarity(vector, each) for each in real]) == len(rows)),
            "seconds": round(seconds),
        }
        if opinions is not None:
            row |= {"mos": round(opinions.opinion(said[: 20 * SAMPLE_RATE]), 2)}
            row |= {"mos_real": round(opinions.opinion(person.heard), 2)}
        rows.append(row)
        console.print(row)
    Console().print(table(rows))
    save(output, {"model": Path(model).name, "sentences": sentence_count, **machine(), "rows": rows})


def _vector(encoder: VoiceEncoder, samples: np.ndarray) -> np.ndarray:
    found = encoder.vector(samples)
    assert found is not None, "nobody speaks"
    return found


if __name__ == "__main__":
    typer.run(main)
