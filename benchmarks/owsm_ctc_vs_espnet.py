"""OWSM-CTC in ESPnet 202611 and in this package: the same random weights and audio, two threads, in one run.

    uv run --extra espnet benchmarks/owsm_ctc_vs_espnet.py main ROOT DIR --output benchmarks/results/owsm_ctc.json

ROOT holds `test.jsonl` and its audio; DIR receives the models (11 GB). Prints medians of several runs, each side in its
own process, and as a limit the time that the model's operations take at the speed of the fastest matrix product
measured in the same run.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from espnet_peer import SIZES, Size, load, publish
from rich.console import Console
from rich.table import Table

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.data.manifest import read_manifest

THREADS = 2
FRAME_S = 0.08
WORKS = {"30 s": 30.0, "5 s": 5.0, "10 min": 600.0, "1 h": 3600.0}
OURS = {"float32": ("float32", None), "int8": ("int8", None), "int8, 16 fed back": ("int8", 16)}
FASTEST = "int8, 16 fed back"
app = typer.Typer(add_completion=False)


@app.command()
def main(
    root: Path,
    work_dir: Path,
    sizes: str = "base,1B",
    repeat: int = 3,
    hour: Annotated[bool, typer.Option(help="Also an hour through the 1B (ours only).")] = False,
    output: Annotated[Path | None, typer.Option(help="Write the measurements as JSON.")] = None,
) -> None:
    """Print both sides."""
    console = Console(highlight=False)
    work_dir.mkdir(parents=True, exist_ok=True)
    audio = work_dir / "speech.npy"
    np.save(audio, talk(root, max(WORKS.values())))
    record: dict[str, Any] = {}
    for name in sizes.split(","):
        published = work_dir / name
        if not published.exists():
            publish(published, SIZES[name])
        ours = {storage: work_dir / f"{name}-{storage}" for storage in ("float32", "int8")}
        for storage, folder in ours.items():
            if not folder.exists():
                start = time.monotonic()
                command = [sys.executable, "-m", "speech.cli.app", "import", published, "--to", folder]
                subprocess.run([*command, "--storage", storage], check=True)
                console.print(f"{name}: imported as {storage} in {time.monotonic() - start:.1f} s")
        record[name] = measure(console, name, published, ours, audio, repeat, hour)
    if output is not None:
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def measure(
    console: Console, name: str, published: Path, ours: dict[str, Path], audio: Path, repeat: int, hour: bool
) -> dict[str, Any]:
    """Measure one model size; our models are stored in the precision in which they compute."""
    theirs = ["float32", *(["bfloat16"] if torch.cpu._is_avx512_bf16_supported() else [])]
    table = Table("work", "side", "seconds", "times as fast", "limit", "GiB", "load s", title=f"{name}", box=None)
    record: dict[str, Any] = {"peak": peaks()}
    for work, seconds in WORKS.items():
        if (work == "10 min" and name == "1B") or (work == "1 h" and not (hour and name == "1B")):
            continue
        runs = (
            {}
            if work == "1 h"
            else {f"ESPnet {kind}": run("theirs", published, kind, work, audio, repeat) for kind in theirs}
        )
        for label, (precision, _) in OURS.items():
            if work != "1 h" or label == FASTEST:
                runs[label] = run("ours", ours[precision], label, work, audio, repeat)
        if work == "10 min":
            runs["int8, cut at pauses"] = run("ours", ours["int8"], "pauses", work, audio, repeat)
        base = next(iter(runs.values()))["seconds"]
        for label, found in runs.items():
            peak = record["peak"]["int8" if "int8" in label else "float32"]
            limit = operations(SIZES[name], seconds, fed_back="16" not in label) / peak
            table.add_row(
                work, label, f"{found['seconds']:.2f}", f"{base / found['seconds']:.1f}", f"{limit:.2f}",
                f"{found['peak_gib']:.2f}", f"{found['load_s']:.1f}",
            )  # fmt: skip
        record[work] = runs
    difference = parity(published, ours["float32"], audio)
    console.print(table)
    console.print(
        f"{name}: largest difference of log-probabilities, float32: {difference:.1e}; "
        f"matrix products {record['peak']['float32'] / 1e9:.0f} GFLOP/s, int8 {record['peak']['int8'] / 1e9:.0f} GOP/s"
    )
    return record | {"difference": difference}


def run(side: str, folder: Path, kind: str, work: str, audio: Path, repeat: int) -> dict[str, Any]:
    """Run one side in a separate process, so that its peak memory is its own."""
    count = repeat if WORKS[work] <= 60 else 1
    command = [sys.executable, __file__, "worker", side, folder, kind, work, audio, "--repeat", count]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} {kind} {work}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


@app.command()
def worker(
    side: str, folder: Path, kind: str, work: str, audio: Path, repeat: int = 3, dump: Path | None = None
) -> None:
    """Run one side; print its times as JSON."""
    torch.set_num_threads(THREADS)
    samples = np.load(audio, mmap_mode="r")[: int(WORKS[work] * SAMPLE_RATE)].copy()
    start = time.monotonic()
    step = espnet(folder, kind, samples, dump) if side == "theirs" else here(folder, kind, samples, dump)
    loaded = time.monotonic() - start
    if repeat > 1:  # warm-up
        step()
    times = []
    for _ in range(repeat):
        start = time.monotonic()
        step()
        times.append(time.monotonic() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = {"seconds": statistics.median(times or [0.0]), "all": times, "load_s": loaded, "peak_gib": peak}
    sys.stdout.write(json.dumps(found) + "\n")


def espnet(folder: Path, kind: str, samples: np.ndarray, dump: Path | None) -> Any:
    """As in ESPnet's README: short recordings are padded to 30 s, long ones use `decode_long`."""
    model = load(folder, kind)
    if dump is not None:
        with torch.inference_mode():
            encoded, _ = model._encode(torch.from_numpy(samples)[None], None, "<eng>", "<asr>")
            np.save(dump, model.s2t_model.ctc.log_softmax(encoded)[0, 2:].numpy())
    if len(samples) > 30 * SAMPLE_RATE:
        return lambda: model.decode_long(samples, context_len_in_secs=4.0, lang_sym="<eng>", task_sym="<asr>")
    filled = np.pad(samples, (0, 30 * SAMPLE_RATE - len(samples)))
    return lambda: model.best_path(filled, lang_sym="<eng>", task_sym="<asr>")


def here(folder: Path, kind: str, samples: np.ndarray, dump: Path | None) -> Any:
    """True length; long recordings in windows with as much context as ESPnet's, or cut at pauses."""
    from speech.models.precision import Precision
    from speech.recognize.offline import Cut, OfflineConfig
    from speech.recognize.request import Request
    from speech.recognize.windows import WindowConfig
    from speech.recognizer import Recognizer

    precision, top = OURS.get(kind, ("int8", None))
    context = 4.0 if len(samples) > 30 * SAMPLE_RATE else 0.0
    cut = Cut.pauses if kind == "pauses" else Cut.windows
    recognizer = Recognizer.from_pretrained(
        str(folder),
        precision=Precision(precision),
        conditioning_top=top,
        config=OfflineConfig(cut=cut, window=WindowConfig(size_s=30.0, context_s=context)),
    )
    if dump is not None:
        second_pass = recognizer._second_pass
        x, _ = second_pass.encode([samples], [Request(("eng",))]).select(0)
        np.save(dump, second_pass.decoder.log_probs(x).numpy())
    return lambda: recognizer.transcribe(samples, language="eng")


def parity(published: Path, ours: Path, audio: Path) -> float:
    """Largest difference between the log-probabilities of both sides on five seconds of audio."""
    found = []
    for side, folder in (("theirs", published), ("ours", ours)):
        dump = audio.with_name(f"{side}.npy")
        command = [
            sys.executable,
            __file__,
            "worker",
            side,
            folder,
            "float32",
            "5 s",
            audio,
            "--repeat",
            0,
            "--dump",
            dump,
        ]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)
        found.append(np.load(dump))
    return float(np.abs(found[0] - found[1]).max())


def peaks() -> dict[str, float]:
    """Peak operations per second on both cores, of the fastest implementations here."""
    from speech.nn.cpu.int8 import Int8Linear, int8_runs
    from speech.nn.cpu.packed import PackedLinear, packing_runs

    torch.set_num_threads(THREADS)
    found = {"float32": 0.0, "int8": 0.0}
    with torch.inference_mode():
        for rows, inner, outer in ((376, 1024, 4096), (376, 4096, 1024), (1024, 9216, 1024)):
            linear, x = torch.nn.Linear(inner, outer), torch.randn(rows, inner)
            kinds = [("float32", linear)] + [("float32", PackedLinear(linear))] * packing_runs()
            for kind, layer in kinds + [("int8", Int8Linear(linear))] * int8_runs():
                for _ in range(8):
                    start = time.monotonic()
                    layer(x)
                    found[kind] = max(found[kind], 2 * rows * inner * outer / (time.monotonic() - start))
    return found


def operations(size: Size, seconds: float, *, fed_back: bool) -> float:
    """Operations (multiplications and additions) for one pass over `seconds` of audio."""
    rate, bins, dim, convolutions = 100.0, size.bins, size.dim, 0.0
    for channels in (1, dim, dim):
        rate, bins = rate / 2, (bins - 1) // 2
        convolutions += rate * bins * dim * channels * 9
    block = 4 * dim * size.hidden + 4 * dim * dim + 1.5 * dim * size.hidden + 2 * dim * dim + 3 * 31 * dim
    heads = (len(size.inter_layers) + 1) * dim * size.vocabulary
    back = len(size.inter_layers) * dim * size.vocabulary if fed_back else 0.0
    attention = 2 * min(seconds, 30.0) / FRAME_S * dim
    frame = bins * dim * dim + size.layers * (block + attention) + heads + back
    return 2 * seconds * (convolutions + frame / FRAME_S)


def talk(root: Path, seconds: float) -> np.ndarray:
    """Test clips, concatenated."""
    parts, count = [], 0
    clips = read_manifest(root / "test.jsonl", root)
    while count < seconds * SAMPLE_RATE:
        for clip in clips:
            parts.append(load_audio(clip.audio))
            count += len(parts[-1])
            if count >= seconds * SAMPLE_RATE:
                break
    return np.concatenate(parts)[: int(seconds * SAMPLE_RATE)]


if __name__ == "__main__":
    app()
