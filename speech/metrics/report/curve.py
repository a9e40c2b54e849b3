"""The picture of quality against latency: an SVG with a line for each policy."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from speech.metrics.latency import COMPUTATION_AWARE, LONG
from speech.metrics.systems import SystemScore
from speech.metrics.translation import BLEU, CHRF

_QUALITIES, _LATENCIES = (CHRF, BLEU), (LONG, "laal")
_WIDE, _HIGH = 720, 392
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 24, 34, 44
_COLOURS = 6
_LETTER, _LINE = 6.6, 14.0
"""Width of a letter of a label and height of its line."""
_SHAPES = (
    "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0",
    "M-4.5 -4.5h9v9h-9z",
    "M0 -6l6 10.5h-12z",
    "M0 -6.5l6.5 6.5l-6.5 6.5l-6.5 -6.5z",
)
_STEPS = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 20.0, 25.0, 50.0)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A system in the picture."""

    series: str
    """What its line is called: its name up to the first space."""
    label: str
    """The rest of its name: a setting."""
    latency_s: float
    quality: float

    @property
    def name(self) -> str:
        """The system's name."""
        return f"{self.series} {self.label}".strip()


@dataclass(frozen=True, slots=True)
class _Axis:
    low: float
    high: float
    begin: float
    end: float

    @property
    def ticks(self) -> list[float]:
        step = next((one for one in _STEPS if (self.high - self.low) / one <= 8), (self.high - self.low) / 4)
        first = math.ceil(self.low / step - 1e-9)
        return [round(n * step, 6) for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def at(self, value: float) -> float:
        return self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin)


def curve_points(systems: Sequence[SystemScore]) -> tuple[str, str, list[CurvePoint]]:
    """The quality and the latency that the picture shows, and the systems that have both.

    Quality is chrF, otherwise BLEU; latency is LongYAAL, otherwise LAAL.
    """
    quality, latency = (
        next((name for name in names if any(name in system.intervals for system in systems)), "")
        for names in (_QUALITIES, _LATENCIES)
    )
    points = []
    for system in systems:
        series, _, label = system.name.partition(" ")
        if quality in system.intervals and latency in system.intervals:
            x, y = system.intervals[latency].value, system.intervals[quality].value
            points.append(CurvePoint(series, label, x, y))
    return quality, latency, points


def quality_curve(systems: Sequence[SystemScore], headings: Mapping[str, str]) -> str:
    """An SVG of the systems by latency and quality; "" if fewer than two have both.

    Systems whose names are equal up to the first space, such as "align_att 800 ms" and "align_att 1600 ms", are points
    of one line, in the order of their latency.
    """
    quality, latency, points = curve_points(systems)
    if len(points) < 2:
        return ""
    x = _Axis(*_range([one.latency_s for one in points], 0.5), _LEFT, _WIDE - _RIGHT)
    y = _Axis(*_range([one.quality for one in points], 2.0), _HIGH - _BOTTOM, _TOP)
    series: dict[str, list[CurvePoint]] = {}
    for one in points:
        series.setdefault(one.series, []).append(one)
    across = headings[latency]
    if any(latency in one.figures and one.figures[latency].signature == COMPUTATION_AWARE for one in systems):
        across += ", computation-aware"
    title = f"{headings[quality]} against {across}"
    said = "; ".join(f"{one.name}: {one.quality:.1f} at {one.latency_s:.2f} s" for one in points)
    parts = [
        f'<svg id="curve" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-labelledby="curve-title curve-text">',
        f'<title id="curve-title">{html.escape(title)}</title>',
        f'<desc id="curve-text">{html.escape(said)}</desc>',
        *_axes(x, y, headings[quality], across),
    ]
    for number, own in enumerate(series.values()):
        parts += _series(number, sorted(own, key=lambda one: one.latency_s), x, y)
    return "\n".join([*parts, *_labels(list(series.values()), x, y), "</svg>"])


def _range(values: Sequence[float], least: float) -> tuple[float, float]:
    """Ends of an axis with some room around the values, never below 0 unless a value is."""
    low, high = min(values), max(values)
    room = max((high - low) * 0.15, least)
    return (max(low - room, 0.0) if low >= 0.0 else low - room), high + room


def _axes(x: _Axis, y: _Axis, up: str, across: str) -> list[str]:
    found = []
    for value in x.ticks:
        place = x.at(value)
        found.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{y.begin:.1f}" y2="{y.end:.1f}"/>')
        found.append(f'<text class="tick middle" x="{place:.1f}" y="{y.begin + 18:.1f}">{value:g}</text>')
    for value in y.ticks:
        place = y.at(value)
        found.append(f'<line class="grid" x1="{x.begin:.1f}" x2="{x.end:.1f}" y1="{place:.1f}" y2="{place:.1f}"/>')
        found.append(f'<text class="tick end" x="{x.begin - 8:.1f}" y="{place + 4:.1f}">{value:g}</text>')
    found.append(f'<text class="label" x="{x.begin:.1f}" y="{y.end - 14:.1f}">↑ {html.escape(up)}</text>')
    found.append(f'<text class="label end" x="{x.end:.1f}" y="{y.begin + 38:.1f}">{html.escape(across)} →</text>')
    return found


def _series(number: int, points: Sequence[CurvePoint], x: _Axis, y: _Axis) -> list[str]:
    """The line and the marks of a policy."""
    found = [f'<g class="series language{number % _COLOURS}">']
    places = [(x.at(one.latency_s), y.at(one.quality)) for one in points]
    if len(places) > 1:
        found.append(f'<polyline points="{" ".join(f"{left:.1f},{top:.1f}" for left, top in places)}"/>')
    shape = _SHAPES[number % len(_SHAPES)]
    for one, (left, top) in zip(points, places, strict=True):
        tip = f"{one.name}: {one.quality:.1f} at {one.latency_s:.2f} s"
        mark = f'<path d="{shape}" transform="translate({left:.1f} {top:.1f})">'
        found.append(f"{mark}<title>{html.escape(tip)}</title></path>")
    return [*found, "</g>"]


Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""


def _labels(series: Sequence[Sequence[CurvePoint]], x: _Axis, y: _Axis) -> list[str]:
    """Names beside the points, where the least else stands: the whole name at the first point of each line, at the
    others the setting."""
    lines: list[Box] = []
    taken: list[Box] = []
    for own in series:
        places = [(x.at(one.latency_s), y.at(one.quality)) for one in sorted(own, key=lambda one: one.latency_s)]
        taken += [(left - 6, top - 6, left + 6, top + 6) for left, top in places]
        lines += [box for one, other in pairwise(places) for box in _along(one, other)]
    found = []
    for number, own in enumerate(series):
        for place, one in enumerate(sorted(own, key=lambda one: one.latency_s)):
            text = one.name if place == 0 else one.label or one.name
            box = _free(x.at(one.latency_s), y.at(one.quality), len(text) * _LETTER, taken, lines)
            taken.append(box)
            where = f'x="{box[0]:.1f}" y="{box[3] - 3:.1f}"'
            found.append(f'<text class="name language{number % _COLOURS}" {where}>{html.escape(text)}</text>')
    return found


def _along(one: tuple[float, float], other: tuple[float, float], pieces: int = 12) -> list[Box]:
    """Small boxes along a line."""
    found = []
    for piece in range(1, pieces):
        left, top = (a + (b - a) * piece / pieces for a, b in zip(one, other, strict=True))
        found.append((left - 2, top - 2, left + 2, top + 2))
    return found


def _free(left: float, top: float, width: float, taken: Sequence[Box], lines: Sequence[Box]) -> Box:
    """The box of a label beside a point that covers the fewest other things; of equal ones the first."""
    places = [
        (left + across, top + down)
        for down in (-_LINE - 6, 6, -_LINE / 2, -2 * _LINE - 8, _LINE + 8)
        for across in (-width / 2, 10, -width - 10)
        if down != -_LINE / 2 or across != -width / 2
    ]
    boxes = [(a, b, a + width, b + _LINE) for a, b in places]

    def cost(box: Box) -> float:
        outside = box[0] < _LEFT or box[2] > _WIDE - 4 or box[1] < 4 or box[3] > _HIGH - _BOTTOM
        return 8 * outside + 3 * sum(_overlap(box, other) for other in taken) + sum(_overlap(box, o) for o in lines)

    return min(boxes, key=cost)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
