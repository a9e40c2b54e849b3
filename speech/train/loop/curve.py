"""Plot of the learning curve."""

from __future__ import annotations

import io
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from speech.files import write_atomically
from speech.train.loop.callbacks import read_metrics

_SPAN = 7
"""Number of records on each side in the running median."""


def draw_curve(
    metrics: Path,
    picture: Path,
    train: tuple[str, str] = ("train/final", "train, final CTC per token"),
    dev: tuple[str, ...] = ("dev/final", "dev/language"),
) -> None:
    """Plot training loss (with a running median) and dev losses over steps, from the record of a run.

    Args:
        metrics: the record (JSON lines).
        picture: PNG file.
        train: name and label of the training loss.
        dev: names of the dev losses.
    """
    rows = read_metrics(metrics)
    name, label = train
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    points = _points(rows, name)
    if points:
        values = [value for _, value in points]
        smooth = [median(values[max(0, n - _SPAN) : n + _SPAN + 1]) for n in range(len(values))]
        axes.plot([s for s, _ in points], [v for _, v in points], color="tab:blue", alpha=0.2, linewidth=0.8)
        axes.plot([s for s, _ in points], smooth, color="tab:blue", label=label)
    for name, colour in zip(dev, ("tab:orange", "tab:green"), strict=False):
        points = _points(rows, name)
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=3, label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_yscale("log")
    axes.grid(alpha=0.3, which="both")
    if axes.has_data():
        axes.legend()
    save_figure(figure, picture)


def save_figure(figure: Figure, picture: Path) -> None:
    """Write a figure as PNG, atomically.

    Raises:
        FileError: if it cannot be written.
    """
    image = io.BytesIO()
    figure.savefig(image, dpi=120, format="png")
    write_atomically(picture, image.getvalue())


def _points(rows: list[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """(step, value) of the rows that have a value."""
    return [(row["step"], row[name]) for row in rows if row.get(name) is not None]
