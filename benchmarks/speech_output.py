"""Speech output: word error rate of what is said, first packet, speed, beside espeak-ng in the same run.

    python benchmarks/speech_output.py embedded-voice --whisper DIR --output benchmarks/results/speech_output.json

Says `benchmarks/sentences/LANGUAGE.txt`, easy and hard ones, with the first voice of each language. The recogniser is
Whisper-base (faster-whisper, int8, beam 5, language given). Reference and hypothesis are compared in words as they are
spoken: both go through the text front end, so that "5" and "five" are equal. The peer espeak-ng says the same texts as
written. First packet is the time from the call to the first samples, in a process that has already said a sentence.
"""

from __future__ import annotations

import io
import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import soundfile
import soxr
import torch
import typer
from clips import save, table
from peer import CODES
from rich.console import Console
from rich.progress import track
from timing import machine

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import TextPair
from speech.metrics.speech_quality.opinions import DistillMos, OpinionModel
from speech.speaker import Speaker
from speech.tts.pronunciation.espeak import PROGRAM, VOICES
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.text_front_end.spoken_text import spoken_text

SENTENCES = Path(__file__).parent / "sentences"


def sentences(code: str) -> list[str]:
    """The sentences of a language, ISO 639-3."""
    return [line for line in (SENTENCES / f"{code}.txt").read_text("utf-8").splitlines() if line]


class Said(NamedTuple):
    """A sentence that was said."""

    samples: np.ndarray
    rate: int
    first_s: float
    seconds: float


def main(
    model: Annotated[str, typer.Argument(help="Voice model: a directory or hub id.")],
    whisper: Annotated[Path, typer.Option(help="CTranslate2 conversion of Whisper-base.")],
    languages: Annotated[str, typer.Option(help="With commas between.")] = "eng,spa,fra,ita,por,deu",
    threads: Annotated[int, typer.Option(help="Of the voice.")] = 1,
    mos: Annotated[int, typer.Option(help="Sentences whose naturalness DistillMOS predicts (package distillmos).")] = 0,
    output: Annotated[Path | None, typer.Option(help="Write figures and texts as JSON.")] = None,
) -> None:
    """Print the table."""
    from faster_whisper import WhisperModel

    torch.set_num_threads(threads)
    recogniser = WhisperModel(str(whisper), device="cpu", compute_type="int8", cpu_threads=1)
    speaker = Speaker.from_pretrained(model)
    opinions = DistillMos() if mos else None
    rows: list[dict[str, Any]] = []
    for code in languages.split(","):
        texts = sentences(code)
        options = SpeakingOptions(language=code)
        speaker.say(texts[0], options)
        for system, say in (("model", lambda text, own=options: spoken(speaker, text, own)), (PROGRAM, espeak(code))):
            said = [say(text) for text in track(texts, description=f"{code} {system}", transient=True)]
            heard = [recognised(recogniser, one, code) for one in said]
            naturalness = {} if opinions is None else {"mos": _mean_opinion(opinions, said[:mos])}
            rows.append({**figures(system, code, texts, said, heard), **naturalness})
    Console().print(table(rows))
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
    save(output, {"model": Path(model).name, "threads": threads, "peak_mb": peak_mb, **machine(), "rows": rows})


def spoken(speaker: Speaker, text: str, options: SpeakingOptions) -> Said:
    """A text by the model."""
    began, first_s, pieces = time.perf_counter(), 0.0, []
    for packet in speaker.stream([text], options):
        if len(packet.samples):
            first_s = first_s or time.perf_counter() - began
        pieces.append(packet.samples)
    return Said(np.concatenate(pieces), speaker.sample_rate, first_s, time.perf_counter() - began)


def espeak(code: str) -> Callable[[str], Said]:
    """Says texts with the program `espeak-ng`."""

    def say(text: str) -> Said:
        began = time.perf_counter()
        command = [PROGRAM, "-v", VOICES[code], "--stdin", "--stdout"]
        ran = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        seconds = time.perf_counter() - began
        samples, rate = soundfile.read(io.BytesIO(ran.stdout), dtype="float32")
        return Said(samples, rate, seconds, seconds)

    return say


def recognised(recogniser: Any, said: Said, code: str) -> str:
    """What the recogniser writes."""
    wave = io.BytesIO()
    soundfile.write(wave, said.samples, said.rate, format="WAV")
    wave.seek(0)
    segments, _ = recogniser.transcribe(load_audio(wave), language=CODES[code], beam_size=5)
    return " ".join(segment.text.strip() for segment in segments)


def _mean_opinion(model: OpinionModel, said: Sequence[Said]) -> float:
    heard = [soxr.resample(one.samples, one.rate, SAMPLE_RATE) for one in said]
    return round(float(np.mean([model.opinion(samples) for samples in heard])), 2)


def figures(system: str, code: str, texts: Sequence[str], said: Sequence[Said], heard: Sequence[str]) -> dict[str, Any]:
    """One row of the table."""
    pairs = [TextPair(spoken_text(a, code), spoken_text(b, code), [code]) for a, b in zip(texts, heard, strict=True)]
    errors = sum((pair.word_errors for pair in pairs), ErrorCounts())
    audio_s = sum(len(one.samples) / one.rate for one in said)
    first = sorted(one.first_s for one in said)
    return {
        "language": code,
        "system": system,
        "wer": round(errors.rate, 4),
        "words": errors.reference_length,
        "first_p50_ms": round(1000 * first[len(first) // 2]),
        "first_p95_ms": round(1000 * first[round(0.95 * (len(first) - 1))]),
        "rtf": round(sum(one.seconds for one in said) / audio_s, 3),
        "seconds": round(audio_s, 1),
        "texts": [{"said": a, "heard": b} for a, b in zip(texts, heard, strict=True)],
    }


if __name__ == "__main__":
    typer.run(main)
