"""Time per frame of speech language models of the default shape, alone and in a batch.

    python benchmarks/speech_lm.py --output benchmarks/results/speech_lm.json

Weights are random, which changes nothing about the time. A frame is the step of the slow transformer, all passes of the
fast one, and the sampling of each code by the rules of Fish-Speech 1.5; the codec is not in it. `compiled` is what
`with_precision` gives; `eager` the same layers without compiled transformers. Each figure is the median over frames of
the CPU time of one thread, after the kernels were compiled. Models take turns, so that all see the same load.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table
from timing import machine

from speech.choices import Precision
from speech.decode.sampling.sampler import Sampler, SamplingConfig, choose
from speech.models.aligned_ar import AlignedConfig
from speech.models.aligned_lm import AlignedPrompt
from speech.models.dual_ar import DualArConfig
from speech.models.precision import with_precision
from speech.models.speech_prompt import speech_prompt
from speech.nn.cpu.int8 import int8_copy
from speech.nn.cpu.packed import packed_copy
from speech.text.speech_vocabulary import SpeechVocabulary, TextUnit

BATCHES = (1, 4)
_TEXT = "A sentence of some length, which is said again and again."
_PRECISIONS: Mapping[str, Callable[[Any], Any]] = {
    "float32 eager": packed_copy,
    "float32 compiled": partial(with_precision, precision=Precision.float32),
    "int8 eager": int8_copy,
    "int8 compiled": partial(with_precision, precision=Precision.int8),
}


class Speaking:
    """A batch of requests that are said frame by frame.

    Args:
        model: prefix or aligned model.
        begin: makes its first state.
        batch: number of requests.
    """

    def __init__(self, model: Any, begin: Callable[[Any, int], Any], batch: int) -> None:
        self._model, self._state = model, begin(model, batch)
        self._samplers = [Sampler(SamplingConfig(seed=row)) for row in range(batch)]
        self.seconds: list[float] = []

    def say(self, frames: int) -> None:
        """Say the next frames; how long each takes is kept."""
        for _ in range(frames):
            begun = time.thread_time()
            *_, self._state = self._model.step(self._state, partial(choose, self._samplers))
            self.seconds.append(time.thread_time() - begun)


def begin_prefix(vocabulary: SpeechVocabulary, model: Any, batch: int) -> Any:
    return model.begin([speech_prompt(vocabulary, _TEXT, "eng", model.codebooks)] * batch)


def begin_aligned(vocabulary: SpeechVocabulary, model: Any, batch: int) -> Any:
    symbols = vocabulary.symbol_tokens(_TEXT * 8)
    prompt = AlignedPrompt(symbols, vocabulary.language_token("eng"), frames=[1.4] * len(symbols))
    return model.begin([prompt] * batch)


@torch.inference_mode()
def measure(prefix: DualArConfig, aligned: AlignedConfig, frames: int, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds per frame of models of these shapes, in every precision and batch.

    Args:
        prefix: model with the text in front.
        aligned: aligned model.
        frames: in a turn.
        rounds: turns of each model.
    """
    found: list[dict[str, Any]] = []
    speaking: list[Speaking] = []
    shapes: Sequence[tuple[str, Any, Any]] = (("prefix", prefix, begin_prefix), ("aligned", aligned, begin_aligned))
    for name, config, begin in shapes:
        vocabulary = SpeechVocabulary.of(TextUnit.bytes, ["eng"], [], config.frame_tokens)
        torch.manual_seed(0)
        model = config.build(vocabulary.layout).eval()
        for precision, convert in _PRECISIONS.items():
            converted = convert(model)
            for batch in BATCHES:
                one = Speaking(converted, partial(begin, vocabulary), batch)
                one.say(2)
                one.seconds.clear()
                speaking.append(one)
                found.append({"model": name, "precision": precision, "batch": batch, "frame_ms": config.frame_s * 1000})
    for _ in range(rounds):
        for one in speaking:
            one.say(frames)
    for row, one in zip(found, speaking, strict=True):
        row["ms"] = statistics.median(one.seconds) * 1000
        row["p95_ms"] = statistics.quantiles(one.seconds, n=20)[-1] * 1000
    return found


def table(rows: list[dict[str, Any]]) -> Table:
    """The results, a row per model, precision and batch."""
    made = Table("conditioner", "precision", "requests", "ms per frame", "p95", "share of real time, each")
    for row in rows:
        share = row["ms"] / row["frame_ms"] / row["batch"]
        figures = f"{row['ms']:.1f}", f"{row['p95_ms']:.1f}", f"{share:.2f}"
        made.add_row(row["model"], row["precision"], str(row["batch"]), *figures)
    return made


def main(
    output: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    frames: Annotated[int, typer.Option(help="Frames in a turn.")] = 20,
    rounds: Annotated[int, typer.Option(help="Turns of each model.")] = 4,
) -> None:
    """Print, and write, milliseconds per frame."""
    torch.set_num_threads(1)
    rows = measure(DualArConfig(), AlignedConfig(), frames, rounds)
    Console().print(table(rows))
    if output is not None:
        output.write_text(json.dumps({"machine": machine(), "results": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
