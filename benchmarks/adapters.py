"""Gain and cost of adapters, and their effect on other languages.

    uv run --extra train benchmarks/adapters.py others ROOT --adapters DIR        # texts of other languages
    uv run --extra train benchmarks/adapters.py throughput ROOT [--adapters DIR]  # eight languages in a batch, or none
    uv run --extra train benchmarks/adapters.py table RUN...                      # runs of recipes/language_adapters

`throughput` feeds eight concurrent sessions in eight languages through one engine as fast as possible; rounds with and
without adapters alternate. Without DIR the adapters have random weights, at the same cost.
"""

import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from speech import Recognizer
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.models.base import CtcModel
from speech.models.checkpoint import load_checkpoint
from speech.models.hub import locate
from speech.nn.adapters import Adapter, AdapterBank, width_for
from speech.stream.engine import Engine
from speech.stream.session import StreamOptions
from speech.train.adapters.module import SCORES, read_scores
from speech.train.adapters.run import REPORT

BLOCK = SAMPLE_RATE // 10
EIGHT = ("bul", "cat", "ell", "fra", "gla", "ita", "por", "rus")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def others(
    root: Path,
    adapters: Annotated[Path, typer.Option(help="Folder of adapter files.")],
    model: str = "embedded",
    every: Annotated[int, typer.Option(help="Take each n-th clip.")] = 1,
    output: Path | None = None,
) -> None:
    """Compare texts in languages without adapters, with and without the bank: language given, and identified."""
    plain = Recognizer.from_pretrained(model)
    adapted = Recognizer.from_pretrained(model, adapters=adapters)
    plain.adapters = None
    assert adapted.adapters is not None
    clips = [u for u in read_manifest(root / "test.jsonl", root) if u.language not in adapted.adapters.codes]
    clips = clips[::every]
    known = set(plain.model.vocabulary.languages)
    found: dict[str, Any] = {"clips": len(clips), "languages": len({u.language for u in clips})}
    for name in ("named", "identified"):
        asked = [u for u in clips if name == "identified" or u.language in known]
        changed = [
            u.id
            for u in track(asked, description=name)
            if _text(plain, u, named=name == "named") != _text(adapted, u, named=name == "named")
        ]
        found[name] = {"clips": len(asked), "changed": len(changed)}
    _say(found, output)


def _text(recognizer: Recognizer, clip: Utterance, *, named: bool) -> bytes:
    return recognizer.transcribe(clip.audio, language=clip.language if named else "auto").text.encode()


@app.command()
def throughput(
    root: Path,
    adapters: Annotated[Path | None, typer.Option(help="Folder of adapter files; none: random ones.")] = None,
    model: str = "embedded",
    seconds: float = 20.0,
    rounds: int = 5,
    output: Path | None = None,
) -> None:
    """Measure audio seconds per second for eight concurrent sessions, with eight adapters and with none."""
    recognizer = Recognizer.from_pretrained(model, adapters=adapters)
    bank = recognizer.adapters or _random_bank(load_checkpoint(locate(model)).model)
    codes = [code for code in bank.codes if code in recognizer.model.vocabulary.languages][:8]
    if len(codes) < 8:
        raise typer.BadParameter(f"adapters for {len(codes)} languages, expected 8")
    audio = [_audio(root, code, seconds) for code in codes]
    engine = recognizer.engine()
    speeds: dict[str, list[float]] = {"none": [], "eight": []}
    for number in track(range(rounds + 1), description="rounds"):
        for name, chosen in (("none", None), ("eight", bank)):
            recognizer.adapters = chosen
            speed = _speed(engine, codes, audio)
            if number:  # the first round is a warm-up
                speeds[name].append(speed)
    ratios = [eight / none for none, eight in zip(*speeds.values(), strict=True)]
    found = {name: round(statistics.median(values), 2) for name, values in speeds.items()}
    found |= {"ratio": round(statistics.median(ratios), 3), "lowest": round(min(ratios), 3), "rounds": rounds}
    _say({"languages": codes, "audio_per_s": found}, output)


def _random_bank(model: CtcModel) -> AdapterBank:
    torch.manual_seed(0)
    dim, count = model.dim, model.layers
    layers = list(range(count // 2 + 1, count + 1))
    width = width_for(model.parameter_count, dim, len(layers))
    made = {code: Adapter(layers, dim, width) for code in EIGHT}
    for adapter in made.values():
        torch.nn.init.normal_(adapter.up, std=0.01)
        adapter.requires_grad_(False)
    return AdapterBank(made)


def _audio(root: Path, code: str, seconds: float) -> np.ndarray:
    clips = [u for u in read_manifest(root / "test.jsonl", root) if u.language == code]
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        for clip in clips:
            parts += [load_audio(clip.audio), np.zeros(SAMPLE_RATE // 2, np.float32)]
    return np.concatenate(parts)[: round(seconds * SAMPLE_RATE)]


def _speed(engine: Engine, codes: list[str], audio: list[np.ndarray]) -> float:
    sessions = [engine.open(StreamOptions(languages=(code,))) for code in codes]
    begun = time.perf_counter()
    for start in range(0, len(audio[0]), BLOCK):
        for session, samples in zip(sessions, audio, strict=True):
            session.push(samples[start : start + BLOCK])
        engine.run(sessions)
        for session in sessions:
            session.drain()
    for session in sessions:
        session.push_finish()
    engine.run(sessions)
    return sum(map(len, audio)) / SAMPLE_RATE / (time.perf_counter() - begun)


@app.command()
def table(runs: list[Path], output: Path | None = None) -> None:
    """For each run, print dev error rates at every checkpoint and, if available, error rates on test."""
    console = Console(width=200)
    found: dict[str, Any] = {}
    for run in runs:
        scores = read_scores(run / SCORES)
        _print_scores(console, run.name, scores)
        found[run.name] = {"dev": scores}
        if (run / REPORT).is_file():
            found[run.name] |= json.loads((run / REPORT).read_text("utf-8"))
            _print_test(console, run.name, found[run.name])
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(found) + "\n", "utf-8")


def _print_scores(console: Console, name: str, scores: Mapping[int, Mapping[str, Any]]) -> None:
    rows = Table(title=f"{name}: CER / WER on dev", title_justify="left")
    rows.add_column("step", justify="right")
    for code in next(iter(scores.values())):
        rows.add_column(code, justify="right")
    for step, languages in sorted(scores.items()):
        rows.add_row(str(step), *(f"{row['dev_cer']:.3f} / {row['dev_wer']:.3f}" for row in languages.values()))
    console.print(rows)


def _print_test(console: Console, name: str, report: Mapping[str, Any]) -> None:
    parts = ("base", "common", "own")
    rows = Table(title=f"{name}: WER / CER on test", title_justify="left")
    for column in ("language", *parts):
        rows.add_column(column, justify="right")
    for code in report["test"]["base"]["languages"]:
        cells = [report["test"][part]["languages"][code] for part in parts]
        rows.add_row(code, *(f"{cell['wer']:.3f} / {cell['cer']:.3f}" for cell in cells))
    console.print(rows)
    gain = report["gain"]
    console.print(
        f"{report['parameters']} parameters a language ({report['share']:.2%}); WER less by {gain['own']:.1%} in the "
        f"mean, at the best common step by {gain['common']:.1%}"
    )


def _say(found: Any, output: Path | None) -> None:
    text = json.dumps(found, indent=1)
    Console().print(text, highlight=False)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    app()
