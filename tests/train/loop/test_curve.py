"""The learning curve is a picture, also of a record in which little stands."""

import json

import pytest

from speech.train.loop import curve
from speech.train.loop.curve import draw_curve

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("rows", [[], [{"step": 1, "train/final": None}], [{"step": 1, "dev/final": 2.0}]])
def test_whatever_is_on_record_a_picture_is_drawn(tmp_path, rows):
    record = tmp_path / "metrics.jsonl"
    record.write_text("".join(json.dumps(row) + "\n" for row in rows))
    draw_curve(record, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(PNG)


def test_training_is_shown_as_it_is_and_by_its_running_median(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(curve, "save_figure", lambda figure, picture: figures.append(figure))
    losses = [1.0] * 7 + [100.0] + [1.0] * 7
    rows = [{"step": n, "train/final": loss} for n, loss in enumerate(losses)] + [{"step": 9, "dev/final": 0.5}]
    record = tmp_path / "metrics.jsonl"
    record.write_text("".join(json.dumps(row) + "\n" for row in rows))
    draw_curve(record, tmp_path / "curve.png")
    (axes,) = figures[0].axes
    drawn = [list(line.get_ydata()) for line in axes.get_lines()]
    assert drawn == [losses, [1.0] * 15, [0.5]]
