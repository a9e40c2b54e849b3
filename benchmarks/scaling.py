"""Extrapolation to 180,000 hours of speech from measurements of shards, loading, a training step and recognition.

    uv run --extra train benchmarks/scaling.py ROOT --output benchmarks/results/scaling.json

ROOT holds `train.jsonl` and its audio. GPU hours are operations divided by a GPU's nominal speed times the share of it
that training reaches; that share is measured on this machine's CPU, or given.
"""

import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from owsm_ctc_vs_espnet import SIZES, operations, peaks
from rich.console import Console
from rich.table import Table

from speech.audio import SAMPLE_RATE
from speech.audio.augment import AugmentConfig, WaveAugment
from speech.audio.input.files import load_audio
from speech.data.batches import BatchConfig, TrainBatches
from speech.data.manifest import Utterance, read_manifest
from speech.data.shards import read_shards, write_shards
from speech.models.checkpoint import KINDS, config_from_dict, load_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.nn.losses import ctc_loss, multi_ctc_loss
from speech.text.normalize import plain_text
from speech.text.vocabulary import Vocabulary

TOKENS_PER_S = 4
"""Tokens per second of speech, with the published vocabulary."""
PUBLISHED = {"gpus": 64, "wall_h": 300, "steps": 675_000, "utterances": 256, "seconds": 30.0, "tflops": 312.0}
"""OWSM-CTC v3.1, Peng et al. 2024, section 3: A100 40 GB, bfloat16."""
OWSM_CTC = Path(__file__).parent / "results" / "owsm_ctc.json"


def main(
    root: Path,
    hours: float = 180_000,
    epochs: float = 8.0,
    tflops: Annotated[float, typer.Option(help="Of a GPU in bfloat16, as sold; 312: A100, 989: H100.")] = 989.0,
    share: Annotated[float, typer.Option(help="Of it that training reaches; 0: as measured here.")] = 0.0,
    gpus: int = 64,
    gpu_price: Annotated[float, typer.Option(help="Of an hour.")] = 2.0,
    core_price: Annotated[float, typer.Option(help="Of an hour of a core.")] = 0.04,
    utterances: int = 400,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Measure, and print the plan."""
    corpus = read_manifest(root / "train.jsonl", root)[:utterances]
    found: dict[str, Any] = {kind: shards(corpus, kind) for kind in ("flac", "opus")}
    found["loading"] = loading(corpus)
    found["training"] = training(corpus)
    found["recognition"] = recognition()
    record = {"measured": found, "plan": plan(found, hours, epochs, tflops, share, gpus, gpu_price, core_price)}
    console = Console(highlight=False)
    for name, values in record.items():
        table = Table("", "", title=name, box=None, show_header=False)
        for key, value in values.items():
            for inner, number in (value if isinstance(value, dict) else {"": value}).items():
                table.add_row(f"{key} {inner}", f"{number:,.4g}" if number < 100 else f"{number:,.0f}")
        console.print(table)
    if output is not None:
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def shards(corpus: list[Utterance], kind: Any) -> dict[str, float]:
    """MB per hour of audio, and seconds of audio that one core writes and reads per second."""
    folder = Path(tempfile.mkdtemp())
    try:
        start = time.monotonic()
        write_shards(corpus, folder, audio_format=kind)
        written, start = time.monotonic() - start, time.monotonic()
        audio_s = sum(len(samples) for _, samples in read_shards(folder)) / SAMPLE_RATE
        read = time.monotonic() - start
        size = sum(path.stat().st_size for path in folder.rglob("*.tar"))
    finally:
        shutil.rmtree(folder)
    return {"mb_per_hour": size / audio_s * 3600 / 1e6, "writes": audio_s / written, "reads": audio_s / read}


def loading(corpus: list[Utterance]) -> dict[str, float]:
    """Seconds of audio that one core decodes, augments and batches per second."""
    tokenizer = load_checkpoint(locate(EMBEDDED)).tokenizer
    config = BatchConfig(batch_s=120.0, st_probability=0.0)
    batches = TrainBatches(corpus, tokenizer, config, WaveAugment(AugmentConfig()), plain_text)
    start, audio_s = time.process_time(), 0.0
    for index in range(batches.size(0)):
        audio_s += float(batches.batch(0, index).sample_lengths.sum()) / SAMPLE_RATE
    return {"audio_s_per_core_s": audio_s / (time.process_time() - start)}


def training(corpus: list[Utterance], rows: int = 4, seconds: float = 15.0, steps: int = 5) -> dict[str, float]:
    """Training speed of the 111 M model in float32 on both cores, including AdamW."""
    torch.set_num_threads(2)
    size = SIZES["base"]
    encoder = {name: getattr(size, name) for name in ("bins", "dim", "layers", "heads", "hidden")}
    record = {
        "encoder": {"kind": "e_branchformer", **encoder},
        "front_end": "owsm",
        "prompt": None,
        "inter_layers": list(size.inter_layers),
        "inter_transcript": 2,
    }
    vocabulary = Vocabulary.build(["eng"], [], [f"p{n}" for n in range(size.vocabulary - 6)])
    model = config_from_dict(KINDS["owsm_ctc"], record, "here").build(vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    count = int(seconds * SAMPLE_RATE)
    talk = torch.cat([torch.from_numpy(load_audio(u.audio)) for u in corpus[:80]])
    samples = talk[: rows * count].view(rows, count)
    tokens = torch.randint(6, size.vocabulary, (rows, int(seconds * TOKENS_PER_S)))
    lengths = torch.full((rows,), tokens.shape[1])
    times = []
    for _ in range(steps):
        start = time.monotonic()
        features, frames = model.features(samples, torch.full((rows,), count))
        found = model(features, frames, torch.tensor([[3, 5]] * rows), intermediate=True)
        outputs = (found.log_probs, *found.intermediate)
        parts = [ctc_loss(log_probs, found.lengths, tokens, lengths).mean() for log_probs in outputs]
        multi_ctc_loss(parts[0], parts[1:], 0.8).backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.monotonic() - start)
    speed = rows * seconds / statistics.median(times)
    done = 3 * operations(size, seconds, fed_back=True) / seconds * speed
    return {"audio_s_per_s": speed, "gflops": done / 1e9, "share_of_peak": done / peaks()["float32"]}


def recognition() -> dict[str, float]:
    """Core seconds per second of audio, from the record of `owsm_ctc_vs_espnet.py`."""
    record = json.loads(OWSM_CTC.read_text("utf-8"))
    return {name: 2 * record[name]["30 s"]["int8"]["seconds"] / 30 for name in record}


def plan(
    found: dict[str, Any], hours: float, epochs: float, tflops: float, share: float, gpus: int, gpu_price: float,
    core_price: float,
) -> dict[str, float]:  # fmt: skip
    """Cost estimate for the 1,011 M model."""
    per_hour = 3 * operations(SIZES["1B"], 30.0, fed_back=True) * 120
    heard = PUBLISHED["steps"] * PUBLISHED["utterances"] * PUBLISHED["seconds"] / 3600
    theirs = heard * per_hour / (PUBLISHED["gpus"] * PUBLISHED["wall_h"] * 3600 * PUBLISHED["tflops"] * 1e12)
    share = share or found["training"]["share_of_peak"]
    gpu_hours = hours * epochs * per_hour / (tflops * 1e12 * share) / 3600
    wall_h = gpu_hours / gpus
    audio_s_per_s = hours * epochs * 3600 / (wall_h * 3600)
    core_hours = {kind: hours / found[kind]["writes"] for kind in ("flac", "opus")}
    return {
        "petaflop_per_hour_of_audio": per_hour / 1e15,
        "share_of_peak_published": theirs,
        "share_of_peak_assumed": share,
        "gpu_hours": gpu_hours,
        "gpu_cost": gpu_hours * gpu_price,
        "wall_days": wall_h / 24,
        "audio_s_per_s_of_all_gpus": audio_s_per_s,
        "loader_cores": audio_s_per_s / found["loading"]["audio_s_per_core_s"],
        "loader_cost": audio_s_per_s / found["loading"]["audio_s_per_core_s"] * wall_h * core_price,
        "flac_tb": hours * found["flac"]["mb_per_hour"] / 1e6,
        "opus_tb": hours * found["opus"]["mb_per_hour"] / 1e6,
        "flac_core_hours_to_write": core_hours["flac"],
        "opus_core_hours_to_write": core_hours["opus"],
        "shards_of_1000_at_30_s": hours * 120 / 1000,
        "gb_per_s_read_as_flac": audio_s_per_s * found["flac"]["mb_per_hour"] / 3600 / 1e3,
        "checkpoint_gb": 1.0113 * 12,
        "core_hours_to_recognise_once_int8": hours * found["recognition"]["1B"],
        "recognition_cost": hours * found["recognition"]["1B"] * core_price,
    }


if __name__ == "__main__":
    typer.run(main)
