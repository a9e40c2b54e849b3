"""One text out of several, by both judges: the label decoder, which knows languages, and CTC, which knows frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from speech.decode.label.ctc_score import prefix_scores
from speech.errors import ConfigError
from speech.ranges import check, ranged

_UNKNOWN = -4.0
"""Log-probability of a character that CTC cannot write."""


@dataclass(kw_only=True, slots=True)
class JointConfig:
    """How label decoder and CTC decide together."""

    beam: int = ranged(5, least=1)
    """Hypotheses of the label decoder."""
    ctc_weight: float = ranged(0.2, least=0)
    """Of CTC's log-probability beside the decoder's, in languages that CTC has learnt."""
    learnt: list[str] = field(default_factory=list)
    """ISO 639-3 codes of those."""
    ctc_weights: dict[str, float] = field(default_factory=dict)
    """In those of them in which it counts for more or less."""
    unheard: float = ranged(-1.5, most=0)
    """Log-probability by CTC of a character, on average, below which a text may be made up."""
    no_speech: float = ranged(0.4, least=0, most=1)
    """Probability of no speech from which such a text is not written."""
    unclear: float = ranged(-0.7, most=0)
    """Log-probability by CTC of a character of its own text, on average, below which nobody may have spoken."""
    silence: float = ranged(0.75, least=0, most=1)
    """Probability of no speech from which nobody has, then."""
    phrase_weight: float = ranged(1.0, least=0)
    """Of boosts of phrases beside the decoder's log-probability."""
    phrase_search: float = ranged(0.5, least=0)
    """The same in the decoder's search, which cannot know yet what CTC will say."""
    phrase_ctc_weight: float = ranged(0.5, least=0)
    """Of CTC where there are phrases, if `ctc_weight` is less: it has to hear them."""
    ctc_language: float = ranged(4.0, least=0)
    """Weight of CTC's log-posterior of a language."""
    label_language: float = ranged(2.0, least=0)
    """Weight of the decoder's."""
    ctc_least: float = ranged(-2.05, most=0)
    """Log-posterior by CTC of a language that it does not know, or hears less of."""
    label_least: float = ranged(-4.0, most=0)
    """The same by the decoder."""
    language_price: float = ranged(2.0, least=0)
    """Nats by which CTC has to hear words better that the decoder has written in another language of the same part."""
    heard_price: float = ranged(5.0, least=0)
    """Nats by which CTC has to hear its own words better than those of a text of which the decoder is unsure."""
    unsure: float = ranged(-0.4, most=0)
    """Log-probability by the decoder of a token, on average, below which it is."""
    context_tokens: int = ranged(0, least=0, most=200)
    """Of the text before that the decoder is told when it reads a part; 0: it reads each by itself."""
    context_sure: float = ranged(-0.5, most=0)
    """Log-probability by the decoder of a token, on average, from which a text is told at the next part."""

    def __post_init__(self) -> None:
        check(self, "joint")
        wrong = {code: weight for code, weight in self.ctc_weights.items() if not 0 <= weight < float("inf")}
        if wrong or not set(self.learnt).issuperset(self.ctc_weights):
            raise ConfigError(f"joint.ctc_weights {self.ctc_weights}, expected numbers of languages in joint.learnt")

    def weight(self, language: str) -> float:
        """Of CTC in a language."""
        return self.ctc_weights.get(language, self.ctc_weight) if language in self.learnt else 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may have been said."""

    text: str
    """As it is written."""
    label: float
    """Log-probability by the label decoder, with its end."""
    ctc: float
    """Log-probability by CTC of all frames saying its plain text."""
    by_ctc: bool = False
    """Whether CTC alone has found it."""
    bonus: float = 0.0
    """What phrases in it add."""

    def total(self, weight: float) -> float:
        """Its score where CTC counts for so much; with weight 0 CTC has no say."""
        return self.label + (weight * self.ctc if weight else 0.0) + self.bonus


@dataclass(frozen=True, slots=True)
class Spelling:
    """A plain text in CTC's tokens."""

    ids: tuple[int, ...]
    """Without characters that it cannot write."""
    unknown: int
    """How many those are."""
    space: bool = False
    """Whether the first token is no letter, but begins a word."""


Speller = Callable[[str], Spelling]
"""A text as it is written -> CTC's tokens of its plain text."""


def score(log_probs: np.ndarray, spellings: Sequence[Spelling]) -> list[float]:
    """Log-probabilities by CTC of texts; `log_probs (T, vocabulary)`."""
    found = prefix_scores(log_probs, [spelling.ids for spelling in spellings])
    return [float(own[-1]) + _UNKNOWN * spelling.unknown for own, spelling in zip(found, spellings, strict=True)]


def best(candidates: Sequence[Candidate], weight: float) -> list[Candidate]:
    """From likely to unlikely by the decoder and, by its weight, CTC; equal ones in the order given.

    With weight 0 CTC has no say.
    """
    return sorted(candidates, key=lambda one: -one.total(weight))


def posterior(candidates: Sequence[Candidate], weight: float) -> list[float]:
    """Of each, as if one of them had been said."""
    totals = np.array([one.total(weight) for one in candidates])
    shares = np.exp(totals - totals.max(initial=-np.inf)) if np.isfinite(totals).any() else np.ones(len(totals))
    found: list[float] = (shares / shares.sum()).tolist()
    return found


def likeliest_prefix(log_probs: np.ndarray, prefixes: Sequence[str], spell: Speller) -> str:
    """Which of the beginnings of a text, or nothing at all, CTC finds likeliest to be all that is said."""
    texts = ["", *prefixes]
    return texts[int(np.argmax(score(log_probs, [spell(text) for text in texts])))]
