"""Use of codes and distance of the decoded speech for quantisers of equal bit rate in one codec, on real speech.

    python benchmarks/codec_codes.py ROOT --steps 1000 --output benchmarks/results/codec_codes.json

Every codec has 8 codes of about 10 bits per frame, the same encoder and decoder, the same crops in the same order, the
same seed and spectral losses without discriminators; only the quantiser differs. GFSQ has 1,000 values per code, the
others 1,024. Used: share of a codebook's codes that occur in dev; perplexity: exp(entropy) of its codes, both the mean
over codebooks. Distances: `dev/mel` and `dev/stft` of the recipe. Seconds are those of the process on one thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from speech.data.manifest import Utterance, read_manifest
from speech.data.reading import Tally
from speech.models.codec import CodecConfig, NeuralCodec
from speech.nn.codec.gfsq import Gfsq
from speech.nn.codec.quantized import Quantizer
from speech.nn.codec.vq import CodebookConfig, GroupedVq, ResidualVq
from speech.train.codec.batches import CodecBatches, CodecDev
from speech.train.codec.code_use import code_use, count_codes
from speech.train.codec.config import CodecLossConfig, CropConfig
from speech.train.codec.losses import SpectralLosses

_RESTART_BELOW = 0.03
"""Frames per step below which a code is restarted."""
_PLAIN, _EMA = CodebookConfig(ema=False), CodebookConfig()
_RESTARTED = CodebookConfig(restart_below=_RESTART_BELOW)
QUANTIZERS: Mapping[str, Callable[[CodecConfig], Quantizer]] = {
    "GFSQ 8 x [8,5,5,5]": lambda config: Gfsq(config.dim, config.quantizer),
    "VQ 8 groups": lambda config: GroupedVq(config.dim, _PLAIN),
    "VQ 8 groups, EMA": lambda config: GroupedVq(config.dim, _EMA),
    "VQ 8 groups, EMA, restarts": lambda config: GroupedVq(config.dim, _RESTARTED),
    "RVQ 8": lambda config: ResidualVq(config.dim, _PLAIN),
    "RVQ 8, EMA": lambda config: ResidualVq(config.dim, _EMA),
    "RVQ 8, EMA, restarts": lambda config: ResidualVq(config.dim, _RESTARTED),
}


def train(codec: NeuralCodec, batches: CodecBatches, losses: SpectralLosses, steps: int, lr: float) -> None:
    """Train a codec by the sum of its spectral losses and the quantiser's own."""
    optimizer = torch.optim.AdamW([p for p in codec.parameters() if p.requires_grad], lr=lr, betas=(0.8, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps + 1, pct_start=0.1)
    codec.train()
    for step in range(steps):
        batch = batches.batch(0, step)
        made = codec(batch.samples, batch.sample_lengths)
        places = torch.arange(made.samples.shape[1])
        loss = sum(losses(made.samples * (places < batch.sample_lengths[:, None]), batch.samples), made.loss)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
        optimizer.step()
        schedule.step()


@torch.inference_mode()
def measure(codec: NeuralCodec, dev: CodecDev, losses: SpectralLosses) -> dict[str, float]:
    """Use of codes and distances on dev."""
    codec.eval()
    counts = torch.zeros(codec.codebooks, codec.codebook_size, dtype=torch.int64)
    sums, rows = torch.zeros(2), 0
    for batch in dev:
        made = codec(batch.samples, batch.sample_lengths)
        places = torch.arange(made.samples.shape[1])
        found = losses(made.samples * (places < batch.sample_lengths[:, None]), batch.samples)
        sums, rows = sums + torch.stack(list(found)) * len(batch), rows + len(batch)
        frames = codec.frames(batch.sample_lengths)
        counts += count_codes(made.codes, torch.arange(made.codes.shape[2]) < frames[:, None], codec.codebook_size)
    use = code_use(counts)
    return {
        "used": float(use.used.mean()),
        "least_used": float(use.used.min()),
        "perplexity": float(use.perplexity.mean()),
        "mel": float(sums[0]) / rows,
        "stft": float(sums[1]) / rows,
        "dev_frames": int(counts[0].sum()),
    }


def compare(
    utterances: Mapping[str, list[Utterance]],
    config: CodecConfig,
    crops: CropConfig,
    losses: CodecLossConfig,
    *,
    steps: int,
    lr: float,
    said: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """Train and measure a codec with each of `QUANTIZERS`."""
    spectral = SpectralLosses(config.sample_rate, losses.n_ffts, losses.n_mels)
    results = {}
    for name, build in QUANTIZERS.items():
        torch.manual_seed(1)
        codec, begun = NeuralCodec(config, build(config)), time.process_time()
        train(codec, CodecBatches(utterances["train"], crops, config.sample_rate, 1, cache=True), spectral, steps, lr)
        seconds = time.process_time() - begun
        dev = CodecDev(utterances["dev"], crops, config.sample_rate, Tally("dev", len(utterances["dev"]), 0.01))
        results[name] = {**measure(codec, dev, spectral), "size": codec.codebook_size, "seconds": seconds}
        said(f"{name}: {results[name]}")
    return results


def table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """The results, a row per quantiser."""
    made = Table("quantiser", "codes used", "perplexity", "perplexity / size", "mel", "stft", "CPU seconds")
    for name, row in results.items():
        share = row["perplexity"] / row["size"]
        figures = (f"{row['used']:.1%}", f"{row['perplexity']:.0f}", f"{share:.1%}", f"{row['mel']:.3f}")
        made.add_row(name, *figures, f"{row['stft']:.3f}", f"{row['seconds']:.0f}")
    return made


def main(
    root: Annotated[Path, typer.Argument(help="Folder with train.jsonl, dev.jsonl and the audio.", exists=True)],
    output: Annotated[Path, typer.Option(help="JSON file to write.")],
    steps: Annotated[int, typer.Option(help="Steps of each codec.")] = 1000,
    rows: Annotated[int, typer.Option(help="Crops of a second per step.")] = 8,
    language: Annotated[list[str] | None, typer.Option(help="Only these languages (ISO 639-3).")] = None,
    dev_rows: Annotated[int, typer.Option(help="Utterances of dev.")] = 200,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
) -> None:
    """Print and write the comparison."""
    torch.set_num_threads(1)
    console = Console(stderr=True)
    parts = {part: read_manifest(root / f"{part}.jsonl", root) for part in ("train", "dev")}
    spoken = {part: [u for u in own if not language or u.language in language] for part, own in parts.items()}
    crops = CropConfig(epoch=steps, rows=rows, dev_rows=dev_rows)
    results = compare(spoken, CodecConfig(), crops, CodecLossConfig(), steps=steps, lr=lr, said=console.print)
    Console().print(table(results))
    settings = {"steps": steps, "rows": rows, "languages": language or [], "dev_rows": dev_rows, "lr": lr}
    output.write_text(json.dumps({"settings": settings, "results": results}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
