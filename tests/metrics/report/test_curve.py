"""The picture of quality against latency, by its structure."""

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from speech.metrics.bootstrap import Figure, Interval
from speech.metrics.latency import COMPUTATION_AWARE
from speech.metrics.report.curve import curve_points, quality_curve
from speech.metrics.systems import score_system
from speech.metrics.utterance import Pairing, score_utterance

HEADINGS = {"bleu": "BLEU", "chrf": "chrF", "laal": "LAAL (s)", "longyaal": "LongYAAL (s)"}
SVG = "{http://www.w3.org/2000/svg}"
MEASURED = {
    "align_att 1600 ms": (43.0, 1.81), "align_att 800 ms": (41.9, 1.24), "local_agreement 640 ms": (42.5, 1.79),
    "local_agreement 1000 ms": (42.4, 2.37), "complete": (44.3, 4.66),
}  # fmt: skip


def system(name, **figures):
    found = score_system(name, [score_utterance(Pairing("a", "a"))])
    return replace(found, intervals={key: Interval(value, value, value) for key, value in figures.items()})


def systems(quality="chrf", latency="laal"):
    return [system(name, **{quality: one, latency: other}) for name, (one, other) in MEASURED.items()]


def drawn(*found):
    return ElementTree.fromstring(
        quality_curve(found, HEADINGS).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    )


def texts(picture, kind):
    return [one.text for one in picture.iter(f"{SVG}text") if kind in one.get("class", "")]


def places(picture):
    return [tuple(map(float, re.findall(r"[\d.]+", one.get("transform", "")))) for one in picture.iter(f"{SVG}path")]


def test_each_policy_is_a_line_and_each_setting_a_point_that_tells_its_figures():
    picture = drawn(*systems())
    lines = list(picture.iter(f"{SVG}polyline"))
    assert [len(line.get("points", "").split()) for line in lines] == [2, 2]
    for line in lines:
        across = [float(point.split(",")[0]) for point in line.get("points", "").split()]
        assert across == sorted(across)
    tips = [one.find(f"{SVG}title").text for one in picture.iter(f"{SVG}path")]
    assert tips[0] == "align_att 800 ms: 41.9 at 1.24 s"
    assert tips[-1] == "complete: 44.3 at 4.66 s"
    assert texts(picture, "name") == [
        "align_att 800 ms", "1600 ms", "local_agreement 640 ms", "1000 ms", "complete",
    ]  # fmt: skip


def test_faster_is_left_better_is_up_and_everything_is_inside():
    picture = drawn(*systems())
    points = places(picture)
    (fast_x, worst_y), (slow_x, best_y) = points[0], points[-1]
    assert (fast_x, worst_y) == (min(x for x, _ in points), max(y for _, y in points))
    assert (slow_x, best_y) == (max(x for x, _ in points), min(y for _, y in points))
    _, _, wide, high = map(float, picture.get("viewBox", "").split())
    for one in picture.iter(f"{SVG}text"):
        assert 0 <= float(one.get("x", "")) <= wide
        assert 0 <= float(one.get("y", "")) <= high
    marks = [float(value) for value in texts(picture, "tick end")]
    assert marks == sorted(marks)
    assert len(marks) >= 3


def test_it_says_in_words_what_it_shows():
    picture = drawn(*systems())
    assert picture.get("role") == "img"
    named = picture.get("aria-labelledby", "").split()
    title, words = (next(one for one in picture.iter() if one.get("id") == key) for key in named)
    assert title.text == "chrF against LAAL (s)"
    assert "align_att 1600 ms: 43.0 at 1.81 s; align_att 800 ms: 41.9 at 1.24 s" in words.text
    assert texts(picture, "label") == ["↑ chrF", "LAAL (s) →"]


def test_names_do_not_cover_each_other():
    close = [system(f"policy {n}00 ms", chrf=40 + n / 10, laal=1 + n / 20) for n in range(1, 7)]
    picture = drawn(*close)
    boxes = [
        (float(one.get("x", "")), float(one.get("y", "")), len(one.text) * 6.6)
        for one in picture.iter(f"{SVG}text")
        if "name" in one.get("class", "")
    ]
    for place, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other in boxes[place + 1 :]:
            assert x + width <= other_x or other_x + other <= x or abs(y - other_y) >= 14


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        ({"chrf": 1.0, "bleu": 2.0, "laal": 3.0, "longyaal": 4.0}, ("chrf", "longyaal", 4.0, 1.0)),
        ({"bleu": 2.0, "laal": -3.0}, ("bleu", "laal", -3.0, 2.0)),
    ],
)
def test_the_better_known_figures_are_shown(figures, shown):
    quality, latency, (point,) = curve_points([system("x", **figures)])
    assert (quality, latency, point.latency_s, point.quality) == shown


def test_fewer_than_two_points_are_no_picture():
    assert quality_curve([system("one", chrf=1.0, laal=1.0), system("two", chrf=1.0)], HEADINGS) == ""
    assert quality_curve([system("one"), system("two")], HEADINGS) == ""
    assert drawn(*[system(name, chrf=1.0, laal=1.0) for name in ("one", "two")]).tag == f"{SVG}svg"


def test_names_are_text():
    assert "<b>" not in quality_curve([system(name, chrf=1.0, laal=1.0) for name in ("<b>a", "b")], HEADINGS)


def test_the_axis_says_that_computation_counts():
    figure = Figure(np.ones((1, 2)), float, (1.0,), COMPUTATION_AWARE)
    aware = [replace(one, figures={"laal": figure}) for one in systems()]
    assert texts(drawn(*aware), "label end") == ["LAAL (s), computation-aware →"]
