"""A watermark on real speech: detection, bits and place, clean and after attacks; its level; speed of both networks.

    python benchmarks/watermark.py runs/watermark/model ROOT --output benchmarks/results/watermark.json

Each utterance of the manifest is marked with a random message, attacked, and listened to at all speeds; beside it the
unmarked one after the same attack. Files: share of utterances that count as marked. Windows: share of windows of a
second that count as marked, in an utterance that does. Bits: share read right from a whole utterance at the speed that
was found; messages: share of utterances whose message was found and read; wrong: share of which another one was read.
Place: of utterances of two seconds or more only the middle half is marked; intersection over union of marked and found
frames. Real-time factors are CPU time on one thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from timing import machine, timed

from speech.data.manifest import Utterance, read_manifest
from speech.data.reading import read_audio
from speech.models.hub import locate
from speech.models.watermark_checkpoint import Threshold, load_watermark_checkpoint
from speech.train.watermark.attacks import mixed, resampled
from speech.train.watermark.lossy import LossyFormat, through_codec
from speech.tts.watermark import Watermarker
from speech.tts.watermark_listening import MarkLogits
from speech.tts.watermark_message import MESSAGES, encode_message
from speech.tts.watermark_verdict import strongest, verdict, window_scores

_LEAST_S, _LOCATED_S = 1.5, 2.0
_CUT_S = 0.377
_SPEEDS = (0.9, 0.95, 1.05, 1.1)
Attack = Callable[[np.ndarray, np.ndarray, int, np.random.Generator], np.ndarray]
"""Samples, other speech of the same length, sample rate and random numbers -> samples."""


def _by_spectrum(samples: np.ndarray, count: int) -> np.ndarray:
    return resampled(torch.from_numpy(samples), count).numpy()


def _through(kind: LossyFormat, kbit_s: int) -> Attack:
    return lambda x, other, rate, rng: through_codec(x, rate, kind, 1000 * kbit_s)


def _at_8_khz(x: np.ndarray, other: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    return _by_spectrum(_by_spectrum(x, round(len(x) * 8000 / rate)), len(x))


def _noise(x: np.ndarray, other: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    noise = torch.from_numpy(rng.standard_normal(len(x), dtype=np.float32))
    return mixed(torch.from_numpy(x), noise, 20.0).numpy()


def _sped(factor: float) -> Attack:
    return lambda x, other, rate, rng: _by_spectrum(x, round(len(x) / factor))


def _mix(x: np.ndarray, other: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    return mixed(torch.from_numpy(x), torch.from_numpy(other), 5.0).numpy()


ATTACKS: Mapping[str, Attack] = {
    "clean": lambda x, other, rate, rng: x,
    "MP3 64k": _through(LossyFormat.mp3, 64),
    "Opus 24k": _through(LossyFormat.opus, 24),
    "8 kHz": _at_8_khz,
    "noise 20 dB": _noise,
    "cropped": lambda x, other, rate, rng: x[round(_CUT_S * rate) : -round(_CUT_S * rate)],
    **{f"speed {factor:g}": _sped(factor) for factor in _SPEEDS},
    "mixed 5 dB": _mix,
}


def bits_right(heard: MarkLogits, message: int) -> float:
    """Share of bits that are read right from a whole recording, weighted by presence."""
    return float(((heard.votes().sum(axis=0) > 0) == np.array(encode_message(message), bool)).mean())


def windows_marked(heard: Sequence[MarkLogits], threshold: Threshold) -> np.ndarray:
    """Which windows count as marked, `(windows,)`: none of a recording that does not."""
    found = strongest(heard, threshold)
    marked = found.evidence >= threshold.of(found.heard.duration_s, found.heard.speed)
    return (window_scores(found.frame_scores(), found.heard.frame_s) >= threshold.logit) & marked


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    """Intersection over union of two masks `(frames,)`."""
    return float((found & wanted).sum() / max((found | wanted).sum(), 1))


def attacked(
    marker: Watermarker, pairs: Sequence[tuple[np.ndarray, np.ndarray, int]], attack: Attack, seed: int
) -> dict[str, float]:
    """Figures of one attack on `pairs` of unmarked and marked samples with their messages."""
    rate, threshold = marker.sample_rate, marker.threshold
    rows: list[dict[str, float]] = []
    windows: dict[str, list[np.ndarray]] = {"marked": [], "unmarked": []}
    for number, (plain, marked, message) in enumerate(pairs):
        other = np.resize(pairs[number - 1][0], len(plain))
        row: dict[str, float] = {}
        for name, samples in (("unmarked", plain), ("marked", marked)):
            heard = marker.listen([attack(samples, other, rate, np.random.default_rng((seed, number)))])
            windows[name].append(windows_marked(heard, threshold))
            found = verdict(heard, threshold)
            row[f"files_{name}"] = found.marked
            if name == "marked":
                row["bits"] = bits_right(strongest(heard, threshold).heard, message)
                row["messages"] = found.message == message
                row["messages_wrong"] = found.message not in (None, message)
        rows.append(row)
    figures = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return figures | {f"windows_{name}": float(np.concatenate(found).mean()) for name, found in windows.items()}


def located(marker: Watermarker, pairs: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> dict[str, float]:
    """Overlap of found and marked frames where only the middle half is marked."""
    values, frame_s = [], marker.model.frame_s
    for plain, marked, _ in pairs:
        if len(plain) < _LOCATED_S * marker.sample_rate:
            continue
        start, end = len(plain) // 4, 3 * len(plain) // 4
        samples = np.concatenate([plain[:start], marked[start:end], plain[end:]])
        places = np.arange(-(-len(plain) // marker.model.config.hop)) * frame_s
        found = np.zeros(len(places), bool)
        for segment in marker.detect(samples, marker.sample_rate).segments:
            found |= (places >= segment.start_s) & (places < segment.end_s)
        wanted = (places >= start / marker.sample_rate) & (places < end / marker.sample_rate)
        values.append(overlap(found, wanted))
    if not values:
        return {"utterances": 0}
    return {"iou_mean": float(np.mean(values)), "iou_median": float(np.median(values)), "utterances": len(values)}


def measure(marker: Watermarker, utterances: Sequence[Utterance], seed: int) -> dict[str, Any]:
    """All figures of a watermark on `utterances`."""
    rng, pairs, ratios = np.random.default_rng(seed), [], []
    embedding_s = detecting_s = seconds = 0.0
    for utterance in utterances:
        plain = read_audio(utterance, marker.sample_rate)
        message = int(rng.integers(MESSAGES))
        marked, spent = timed(lambda x=plain, m=message: marker.embed(x, marker.sample_rate, m))
        embedding_s += spent.cpu_s
        _, spent = timed(lambda x=marked: marker.listen([x]))
        detecting_s += spent.cpu_s
        seconds += len(plain) / marker.sample_rate
        ratios.append(10 * np.log10(np.square(plain).sum() / np.square(marked - plain).sum()))
        pairs.append((plain, marked, message))
    return {
        "attacks": {name: attacked(marker, pairs, attack, seed) for name, attack in ATTACKS.items()},
        "place": located(marker, pairs),
        "snr_db": {"mean": float(np.mean(ratios)), "least": float(np.min(ratios))},
        "rtf": {"embed": embedding_s / seconds, "detect": detecting_s / seconds},
        "utterances": len(pairs),
        "seconds": seconds,
    }


def table(results: Mapping[str, Any]) -> Table:
    """A row per attack."""
    made = Table("attack", "windows", "false", "files", "false", "bits", "messages", "wrong")
    for name, row in results["attacks"].items():
        found = ("windows_marked", "windows_unmarked", "files_marked", "files_unmarked")
        shares = (*found, "bits", "messages", "messages_wrong")
        made.add_row(name, *(f"{row[share]:.1%}" for share in shares))
    return made


def main(
    model: Annotated[str, typer.Argument(help="Checkpoint of a watermark.")],
    root: Annotated[Path, typer.Argument(help="Folder with the manifest and the audio.", exists=True)],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    manifest: Annotated[Path, typer.Option(help="Manifest, relative to the folder.")] = Path("test.jsonl"),
    count: Annotated[int, typer.Option(help="Utterances of 1.5 s or more, evenly from the manifest.")] = 200,
    seed: Annotated[int, typer.Option(help="Of messages and noise.")] = 1,
) -> None:
    """Print and write the figures."""
    torch.set_num_threads(1)
    console = Console()
    checkpoint = load_watermark_checkpoint(locate(model))
    long = [u for u in read_manifest(root / manifest, root) if u.duration_s >= _LEAST_S]
    places = np.linspace(0, len(long) - 1, min(count, len(long))).round().astype(int)
    results = measure(Watermarker(checkpoint), [long[place] for place in places], seed)
    console.print(table(results))
    for name in ("place", "snr_db", "rtf"):
        console.print(f"{name}: " + ", ".join(f"{key} {value:.3g}" for key, value in results[name].items()))
    settings = {"steps": checkpoint.info.get("steps"), "seed": seed, "threshold": asdict(checkpoint.threshold)}
    record = {"machine": machine(), "settings": settings, "results": results}
    output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
