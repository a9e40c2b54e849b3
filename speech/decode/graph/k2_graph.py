"""`GraphDecoder`'s task done by k2 (Povey et al. 2021): batches are searched in one call, on CUDA where the frames are.

k2 is no extra of this package: PyPI has it for Python 3.9 and torch 1.12.1 only; wheels for other versions of torch are
on the k2 project's own site. Everything that calls k2 is in `k2_search`, which is tested where PyPI's k2 runs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import TokenSpan
from speech.decode.graph.graph import TokenGraph
from speech.decode.graph.k2_search import Search
from speech.decode.words.alignment import align
from speech.errors import ConfigError, ModelError


@dataclass(frozen=True, kw_only=True, slots=True)
class K2Decoder:
    """Called like `greedy`; says what its graph allows, and nothing else."""

    search: Search
    """Through the graph."""
    acoustic_scale: float = 1.0
    """Of the model's log-probabilities beside the costs of the graph."""
    search_beam: float = 20.0
    """Nats, scaled, by which a path may be behind the best one."""
    output_beam: float = 1.0
    """Nats, scaled, by which an arc's best path may be behind the best one; more than rounding errors is enough."""
    min_active: int = 20
    """States that k2 tries to keep after each frame."""
    max_active: int = 7000
    """States that k2 tries not to exceed after each frame."""
    device: torch.device | None = None
    """Where the search runs; None: where the frames are if that is CUDA, else on the CPU."""

    def __post_init__(self) -> None:
        widths = 0 < self.acoustic_scale < math.inf and self.search_beam > 0 and self.output_beam > 0
        if not (widths and 0 <= self.min_active < self.max_active):
            raise ConfigError(
                f"acoustic_scale {self.acoustic_scale}, search_beam {self.search_beam}, output_beam "
                f"{self.output_beam}, min_active {self.min_active}, max_active {self.max_active}; "
                "expected a scale and beams above 0, and 0 <= min_active < max_active"
            )

    @classmethod
    def from_graph(cls, graph: TokenGraph, **options: Any) -> K2Decoder:
        """What the graph accepts.

        Args:
            graph: over token ids. Its epsilons are removed and CTC's topology has the square of its tokens, so memory
                grows faster than `GraphDecoder`'s: think of a few thousand tokens at most.
            options: `acoustic_scale`, `search_beam`, `output_beam`, `min_active`, `max_active`, `device`.

        Raises:
            ConfigError: if the graph has no tokens, or an option is out of range.
            ModelError: if k2 is not installed.
        """
        try:
            search = Search(graph.arcs, graph.final)
        except ImportError as error:
            fix = (
                "Install the wheel for this Python and torch from https://k2-fsa.github.io/k2/; PyPI's is for "
                "Python 3.9 and torch 1.12.1 only. Without k2, use GraphDecoder."
            )
            raise ModelError(f"needs k2: {error}", where="graph decoding with k2", fix=fix) from error
        if not search.tokens:
            raise ConfigError("no words that the model can write, expected at least one")
        return cls(search=search, **options)

    def __call__(
        self, frames: CtcFrames, *, blank: int = 0, forbidden: Collection[int] = (), languages: Sequence[str] = ()
    ) -> list[list[TokenSpan]]:
        """Token spans of each utterance; tokens in `forbidden` cannot be said, and `languages` make no difference.

        Raises:
            ConfigError: if the frames are of a vocabulary that lacks a token of the graph, or one of them is blank.
        """
        log_probs, tokens = frames.log_probs.detach(), self.search.tokens
        if blank in tokens or tokens[-1] >= log_probs.shape[-1]:
            raise ConfigError(
                f"a graph over tokens up to {tokens[-1]} for a vocabulary of {log_probs.shape[-1]} with blank {blank}",
                fix="Build the graph with the tokenizer of this model.",
            )
        device = self.device or log_probs.device
        said = torch.tensor([blank, *tokens], device=log_probs.device)
        scores = log_probs[..., said].float() * self.acoustic_scale
        unsaid = frozenset(forbidden)
        banned = [column for column, token in enumerate(tokens, 1) if token in unsaid]
        scores[..., banned] = -torch.inf
        best = self.search.best(
            scores.to(device if device.type == "cuda" else "cpu"),
            frames.lengths.tolist(),
            search_beam=self.search_beam,
            output_beam=self.output_beam,
            min_active=self.min_active,
            max_active=self.max_active,
        )
        return [align(frames.select(row), ids, blank).spans if ids else [] for row, (ids, _) in enumerate(best)]
