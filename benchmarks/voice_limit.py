"""What a second of speech costs at least: the operations of the voice's products, at the machine's peak rate.

    python benchmarks/voice_limit.py embedded-voice --output benchmarks/results/voice_limit.json

Operations are those of whole utterances, in which no frame is computed twice; a multiply-add counts as two. Peak is the
rate of large matrix products in bfloat16, or in float32 where the processor has no instructions for it. Beside it, how
long the voice takes, which speaks in windows, without a watermark.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from clips import save
from rich.console import Console
from rich.progress import track
from speech_output import sentences
from timing import machine, timed
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from speech.models.kokoro import Kokoro, KokoroRequest
from speech.nn.cpu.instructions import bfloat16_runs
from speech.nn.cpu.packed import PackedLinear
from speech.speaker import Speaker
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.loading import load_voice_model
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.synthesizer import SaidSymbols

_GEMM, _TRIES = (512, 2048, 2048), 40


class Spoken(NamedTuple):
    """Texts that were said."""

    requests: list[KokoroRequest]
    """Utterances of which they were made."""
    seconds: float
    """That it took."""
    audio_s: float


def operations(model: Kokoro, request: KokoroRequest) -> dict[str, float]:
    """Operations of each part of a model, for one utterance."""
    with FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _recurrent}) as counter:
        model.speak([request])
    totals = {name: float(sum(own.values())) for name, own in counter.get_flop_counts().items()}
    called = {"albert": model.albert, "text_encoder": model.text_encoder, "decoder": model.decoder}
    parts = {name: totals[type(part).__name__] for name, part in called.items()}
    return parts | {"prosody": totals["Global"] - sum(parts.values())}  # the rest, which is not called as one module


def _recurrent(x: Sequence[int], from_input: Sequence[int], from_state: Sequence[int], *_: Any, **__: Any) -> int:
    """Operations of an LSTM in one direction, by the shapes of its input `(time, batch, dim)` and of its weights."""
    return 2 * x[0] * x[1] * (math.prod(from_input) + math.prod(from_state))


def peak(dtype: torch.dtype) -> float:
    """Operations per second of matrix products whose weights are packed; the fastest of several tries."""
    rows, width, outputs = _GEMM
    x, product = torch.randn(rows, width).to(dtype), PackedLinear(nn.Linear(width, outputs), dtype)
    with torch.inference_mode():
        seconds = min(timed(lambda: product(x))[1].wall_s for _ in range(_TRIES))
    return 2.0 * rows * width * outputs / seconds


def spoken(synthesizer: KokoroSynthesizer, speaker: Speaker, texts: Sequence[str], language: str) -> Spoken:
    """Say texts, the first one twice."""
    requests: list[KokoroRequest] = []
    say = synthesizer.say

    def noted(symbols: str, voice: str, **options: Any) -> Iterator[SaidSymbols]:
        style = synthesizer.known[voice].style_of(len(symbols))
        requests.append(KokoroRequest(ids=synthesizer.symbols.encode(symbols).ids, style=style))
        return say(symbols, voice, **options)

    options = SpeakingOptions(language=language)
    speaker.say(texts[0], options)
    synthesizer.say = noted  # type: ignore[method-assign]
    samples, spent = timed(lambda: sum(len(speaker.say(text, options).samples) for text in texts))
    synthesizer.say = say  # type: ignore[method-assign]
    return Spoken(requests, spent.wall_s, samples / speaker.sample_rate)


def main(
    model: Annotated[str, typer.Argument(help="Kokoro voice model.")] = "embedded-voice",
    language: Annotated[str, typer.Option(help="ISO 639-3.")] = "eng",
    count: Annotated[int, typer.Option(help="Sentences.", min=1)] = 12,
    threads: Annotated[int, typer.Option(help="Of the process.", min=1)] = 2,
    output: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
) -> None:
    """Print the figures."""
    torch.set_num_threads(threads)
    synthesizer, pronouncer = load_voice_model(model)
    assert isinstance(synthesizer, KokoroSynthesizer), "the voice is no Kokoro"
    spent = spoken(synthesizer, Speaker(synthesizer, pronouncer), sentences(language)[:count], language)
    totals: dict[str, float] = {}
    for request in track(spent.requests, description="counting", transient=True):
        for part, own in operations(synthesizer.model, request).items():
            totals[part] = totals.get(part, 0.0) + own
    best = peak(torch.bfloat16 if bfloat16_runs() else torch.float32)
    least = sum(totals.values()) / best / spent.audio_s
    record = {
        "model": Path(model).name,
        "threads": threads,
        **machine(),
        "audio_s": round(spent.audio_s, 1),
        "gigaoperations_per_s_of_speech": {part: round(own / spent.audio_s / 1e9, 2) for part, own in totals.items()},
        "peak_gigaoperations_per_s": round(best / 1e9),
        "least_rtf": round(least, 4),
        "rtf": round(spent.seconds / spent.audio_s, 4),
        "times_the_limit": round(spent.seconds / spent.audio_s / least, 1),
    }
    Console().print_json(data=record)
    save(output, record)


if __name__ == "__main__":
    typer.run(main)
