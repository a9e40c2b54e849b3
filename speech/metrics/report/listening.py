"""Self-contained HTML page of a listening test: which of two systems says a text better, blind.

Each trial plays one text by two systems, in an order that a seed has drawn, and shows their names after the vote. Votes
stay in the browser, and are exported as JSON.
"""

from __future__ import annotations

import html
import json
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import combinations
from typing import Any

from speech.errors import ConfigError
from speech.metrics.report.page import filled, part


@dataclass(frozen=True, slots=True)
class HeardText:
    """A text that all systems said."""

    id: str
    text: str
    language: str
    """ISO 639-3, or several joined by `-`."""
    audio: Sequence[str]
    """URL of each system's recording."""


@dataclass(frozen=True, slots=True)
class ListeningTest:
    """Contents of the page.

    Raises:
        ConfigError: if there are fewer than two systems.
    """

    name: str
    systems: Sequence[str]
    texts: Sequence[HeardText]
    seed: int

    def __post_init__(self) -> None:
        if len(self.systems) < 2:
            raise ConfigError("one listens to two systems or more", fix="Name another one, or leave out --page.")


def trials(texts: int, systems: int, seed: int) -> list[tuple[int, int, int]]:
    """Places of text, first and second system of each trial, in the order in which they are played: every two systems
    once with each text. Equal seeds give equal orders."""
    chance = random.Random(seed)
    found: list[tuple[int, int, int]] = []
    for text in range(texts):
        for pair in combinations(range(systems), 2):
            first, second = chance.sample(pair, 2)
            found.append((text, first, second))
    chance.shuffle(found)
    return found


def page_data(test: ListeningTest) -> dict[str, Any]:
    """Data of the page as plain JSON types. Votes belong to `key`, which is another one for other contents."""
    data = {
        "name": test.name,
        "seed": test.seed,
        "systems": list(test.systems),
        "texts": [asdict(text) for text in test.texts],
        "trials": trials(len(test.texts), len(test.systems), test.seed),
    }
    return {"key": sha256(json.dumps(data).encode()).hexdigest()[:16], **data}


def render_test(test: ListeningTest) -> str:
    """Render the page as HTML."""
    script = part("listening.js")
    digest = b64encode(sha256(f"\n{script}\n".encode()).digest()).decode()
    data = json.dumps(page_data(test), ensure_ascii=False, separators=(",", ":"))
    return filled(part("listening.html"), {
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; media-src * data:",
        "title": html.escape(test.name),
        "style": part("style.css") + "\n" + part("listening.css"),
        "data": data.replace("<", "\\u003c"),
        "script": script,
    })  # fmt: skip
