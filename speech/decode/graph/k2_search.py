"""CTC's topology composed with a graph of texts, and searched by k2 for a whole batch at once.

This file needs torch and k2 alone, and runs on Python 3.9 too: the only k2 that PyPI has is made for that, and this is
how `tests/parity/test_k2.py` compares it. `k2_graph` makes a decoder of it.

In the composed graph, label 0 is blank, while in k2's composition it is also epsilon; so what says nothing in the
graph of texts is removed before, as icefall does it (k2.remove_epsilon, then k2.ctc_topo on the left).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

NOTHING = -1
"""Label of an arc that says no token."""
_END = -1
"""k2's label of an arc into the one final state."""
_EVERYTHING = (1e10, 1 << 30)
"""Beam and most active states of a search that leaves nothing out."""


class Search:
    """The best paths through a graph of texts.

    Args:
        arcs: of each state, the first of which is where a text starts: token or `NOTHING`, cost, next state. Costs are
            negative natural logarithms. There are no rings of arcs that say nothing.
        final: state where a text may end -> cost of that.

    Raises:
        ImportError: if k2 is not installed, or not for this torch.

    Attributes:
        tokens: ids of the tokens that the graph can say, sorted.
        graph: composed `k2.Fsa`, a vector of one, over labels: 0 blank, 1 and up `tokens`; None if no text has a cost
            below infinity.
    """

    def __init__(self, arcs: Sequence[Sequence[tuple[int, float, int]]], final: Mapping[int, float]) -> None:
        self._k2 = import_module("k2")
        self.tokens = tuple(sorted({token for leaving in arcs for token, _, _ in leaving} - {NOTHING}))
        texts = self._texts(arcs, final)
        self.graph = None if texts is None else self._composed(texts)

    def _texts(self, arcs: Sequence[Sequence[tuple[int, float, int]]], final: Mapping[int, float]) -> Any:
        """The acceptor of texts over labels, without epsilons; None if it accepts none."""
        labels = {NOTHING: 0}
        for token in self.tokens:
            labels[token] = len(labels)
        end = len(arcs)
        rows: list[tuple[int, int, int]] = []
        scores: list[float] = []
        for state, leaving in enumerate(arcs):
            labelled = [(labels[token], cost, target) for token, cost, target in leaving]
            if state in final:
                labelled.append((_END, final[state], end))
            for label, cost, target in labelled:
                if cost < math.inf:
                    rows.append((state, target, label))
                    scores.append(-cost)
        if not any(target == end for _, target, _ in rows):
            return None
        bits = torch.tensor(scores, dtype=torch.float32).view(torch.int32)
        fsa = self._k2.Fsa(torch.cat([torch.tensor(rows, dtype=torch.int32), bits[:, None]], dim=1))
        if any(label == 0 for _, _, label in rows):
            fsa = self._k2.remove_epsilon(fsa)
        fsa = self._k2.connect(fsa)
        return self._k2.arc_sort(fsa) if fsa.num_arcs else None

    def _composed(self, texts: Any) -> Any:
        topology = self._k2.ctc_topo(len(self.tokens))
        composed = self._k2.compose(topology, texts, treat_epsilons_specially=True)
        return self._k2.create_fsa_vec([self._k2.arc_sort(self._k2.connect(composed))])

    def best(
        self,
        scores: Tensor,
        lengths: Sequence[int],
        *,
        search_beam: float,
        output_beam: float,
        min_active: int,
        max_active: int,
    ) -> list[tuple[list[int], float]]:
        """Token ids and score of the best path through each utterance; none and -inf where no text has a score above.

        Where none of the paths that the beam kept may end, all paths are searched.

        Args:
            scores: (batch, T, 1 + tokens) float32, log-probabilities of blank and of `tokens`, on the CPU or on CUDA.
            lengths: (batch,) frames of each utterance.
            search_beam: nats by which a path may be behind the best one.
            output_beam: nats by which an arc's best path may be behind the best one to be kept at all.
            min_active: states that k2 tries to keep on each frame by widening the beam.
            max_active: states that k2 tries not to exceed on each frame by narrowing the beam.
        """
        found: list[tuple[list[int], float]] = [([], -math.inf)] * len(lengths)
        if self.graph is None:
            return found
        missing = [row for row, length in enumerate(lengths) if length]
        for beam, most in ((search_beam, max_active), _EVERYTHING):
            if missing:
                parts = torch.tensor([(row, 0, lengths[row]) for row in missing], dtype=torch.int32)
                frames = self._k2.DenseFsaVec(scores, parts)
                self.graph = self.graph.to(scores.device)
                paths = self._k2.intersect_dense_pruned(self.graph, frames, beam, output_beam, min_active, most)
                paths = self._k2.shortest_path(paths, use_double_scores=True)
                totals = paths.get_tot_scores(use_double_scores=True, log_semiring=False).tolist()
                for place, row in enumerate(missing):
                    found[row] = self._said(paths[place]), totals[place]
                missing = [row for row in missing if found[row][1] == -math.inf]
        return found

    def _said(self, path: Any) -> list[int]:
        """Token ids of a linear path."""
        return [self.tokens[label - 1] for label in path.aux_labels.tolist() if label > 0]
