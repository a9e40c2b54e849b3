"""Joint scoring of candidate texts by the label decoder and CTC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from speech.decode.label.ctc_score import prefix_scores
from speech.errors import ConfigError
from speech.ranges import check, ranged

_UNKNOWN = -4.0
"""Log-probability per character that CTC cannot write."""


@dataclass(kw_only=True, slots=True)
class JointConfig:
    """Weights and thresholds for joint decoding with label decoder and CTC."""

    beam: int = ranged(5, least=1)
    """Beam size of the label decoder."""
    ctc_weight: float = ranged(0.2, least=0)
    """Weight of CTC's log-probability relative to the decoder's, in the languages that CTC has learnt."""
    learnt: list[str] = field(default_factory=list)
    """ISO 639-3 codes of the languages that CTC has learnt."""
    ctc_weights: dict[str, float] = field(default_factory=dict)
    """Weight of CTC per language, where it differs from `ctc_weight`."""
    unheard: float = ranged(-1.5, most=0)
    """Mean CTC log-probability per token below which a text may be hallucinated."""
    no_speech: float = ranged(0.4, least=0, most=1)
    """No-speech probability from which such a text is dropped."""
    unclear: float = ranged(-0.7, most=0)
    """Mean CTC log-probability per token of CTC's own text below which the part may be silent."""
    silence: float = ranged(0.75, least=0, most=1)
    """No-speech probability from which such a part counts as silent."""
    phrase_weight: float = ranged(1.0, least=0)
    """Weight of phrase boosts relative to the decoder's log-probability."""
    phrase_search: float = ranged(0.5, least=0)
    """Weight of phrase boosts in the decoder's search, where CTC's score is not yet known."""
    phrase_ctc_weight: float = ranged(0.5, least=0)
    """Minimum weight of CTC with phrases: CTC must support them."""
    ctc_language: float = ranged(4.0, least=0)
    """Weight of CTC's log-posterior of a language."""
    label_language: float = ranged(2.0, least=0)
    """Weight of the decoder's log-posterior of a language."""
    ctc_least: float = ranged(-2.05, most=0)
    """Floor for CTC's log-posterior of a language, also used for languages that CTC does not know."""
    label_least: float = ranged(-4.0, most=0)
    """Floor for the decoder's log-posterior of a language, also used for languages that it does not know."""
    language_price: float = ranged(2.0, least=0)
    """Minimum CTC gain in nats to replace words by words that the decoder wrote in another language of the part."""
    heard_price: float = ranged(5.0, least=0)
    """Minimum CTC gain in nats to replace words of an unsure decoder by CTC's own words."""
    unsure: float = ranged(-0.4, most=0)
    """Mean log-probability per token below which the decoder is unsure."""
    context_tokens: int = ranged(0, least=0, most=200)
    """Maximum context tokens given to the decoder; 0: no context is used."""
    context_sure: float = ranged(-0.5, most=0)
    """Minimum mean log-probability per token for a text to be context of the next part."""

    def __post_init__(self) -> None:
        check(self, "joint")
        wrong = {code: weight for code, weight in self.ctc_weights.items() if not 0 <= weight < float("inf")}
        if wrong or not set(self.learnt).issuperset(self.ctc_weights):
            raise ConfigError(f"joint.ctc_weights {self.ctc_weights}, expected numbers of languages in joint.learnt")

    def weight(self, language: str) -> float:
        """Weight of CTC for a language; 0 if CTC has not learnt it."""
        return self.ctc_weights.get(language, self.ctc_weight) if language in self.learnt else 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate text with its scores."""

    text: str
    """The text as written."""
    label: float
    """Log-probability by the label decoder, end token included."""
    ctc: float
    """Log-probability by CTC of the plain text."""
    by_ctc: bool = False
    """Whether only CTC found the text."""
    bonus: float = 0.0
    """Score of the phrases in the text."""

    def total(self, weight: float) -> float:
        """Total score with a weight of CTC; with weight 0 CTC is ignored."""
        return self.label + (weight * self.ctc if weight else 0.0) + self.bonus


@dataclass(frozen=True, slots=True)
class Spelling:
    """A plain text as CTC tokens."""

    ids: tuple[int, ...]
    """Token ids, without characters that CTC cannot write."""
    unknown: int
    """Number of characters that CTC cannot write."""
    space: bool = False
    """Whether the first token is a bare word start without a letter."""


Speller = Callable[[str], Spelling]
"""Converts a written text to the CTC tokens of its plain text."""


def score(log_probs: np.ndarray, spellings: Sequence[Spelling]) -> list[float]:
    """CTC log-probabilities of texts; `log_probs (T, vocabulary)`."""
    found = prefix_scores(log_probs, [spelling.ids for spelling in spellings])
    return [float(own[-1]) + _UNKNOWN * spelling.unknown for own, spelling in zip(found, spellings, strict=True)]


def best(candidates: Sequence[Candidate], weight: float) -> list[Candidate]:
    """Sort candidates from likely to unlikely by their total scores; ties keep their order.

    With weight 0 CTC is ignored.
    """
    return sorted(candidates, key=lambda one: -one.total(weight))


def posterior(candidates: Sequence[Candidate], weight: float) -> list[float]:
    """Posterior of each candidate, given that one of them is right."""
    totals = np.array([one.total(weight) for one in candidates])
    shares = np.exp(totals - totals.max(initial=-np.inf)) if np.isfinite(totals).any() else np.ones(len(totals))
    found: list[float] = (shares / shares.sum()).tolist()
    return found


def likeliest_prefix(log_probs: np.ndarray, prefixes: Sequence[str], spell: Speller) -> str:
    """The prefix of a text, possibly empty, with the highest CTC score."""
    texts = ["", *prefixes]
    return texts[int(np.argmax(score(log_probs, [spell(text) for text in texts])))]
