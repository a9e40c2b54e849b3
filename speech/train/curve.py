"""The learning curve as a picture."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from matplotlib.figure import Figure

from speech.train.callbacks import read_metrics

_SPAN = 7
"""Records on each side of a running median."""


def draw_curve(metrics: Path, picture: Path) -> None:
    """Loss over steps, training (running median) and dev, from the record of a run."""
    rows = read_metrics(metrics)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    train = [(row["step"], row["train/final"]) for row in rows if "train/final" in row]
    if train:
        values = [value for _, value in train]
        smooth = [median(values[max(0, n - _SPAN) : n + _SPAN + 1]) for n in range(len(values))]
        axes.plot([s for s, _ in train], [v for _, v in train], color="tab:blue", alpha=0.2, linewidth=0.8)
        axes.plot([s for s, _ in train], smooth, color="tab:blue", label="train, final CTC per token")
    for name, colour in (("dev/final", "tab:orange"), ("dev/language", "tab:green")):
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_yscale("log")
    axes.grid(alpha=0.3, which="both")
    if axes.has_data():
        axes.legend()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=120)
