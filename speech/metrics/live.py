"""Live scores of a session: finals against the matching prefix of the reference, and everything at the end.

After each final, the text so far is scored in mixed units against the reference prefix with the fewest errors, the
longest in a tie. Points of interest are those of the reference sent so far. Old text is not aligned again: errors
before a run of equal units that is at least `KEPT` units old are settled. The last score aligns everything once and
equals that of `speech score`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from speech.errors import DataError, LanguageError
from speech.events import ScoreEvent
from speech.metrics.code_switching import LanguageErrors, language_errors
from speech.metrics.corpus import SIGNATURE
from speech.metrics.edit.alignment import EditAlignment, ErrorCounts, align, count_other_units
from speech.metrics.edit.error_rate import wer_unit
from speech.metrics.edit.prefix import closest_prefix, equal_runs
from speech.metrics.live_text import ReferenceSoFar, SpokenText, UnitsSoFar, spoken_text
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.utterance import Known, Pairing, UtteranceScore, score_utterance
from speech.text.units import UnitKind

WINDOW, KEPT, MOST = 400, 200, 2000
"""Recognised units: above WINDOW old ones are settled, KEPT stay open, and above MOST a cut is forced."""
_RUN = 4
SAER_LETTERS, SAER_LETTERS_IN_ALL = 1000, 10_000
"""Longest texts, in characters, for SAER after each final, and at the end: longer ones are slow and say little."""
_TOO_LONG = "the text is too long for one vector"


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """Error counts of a part of the session; addable."""

    words: ErrorCounts = field(default_factory=ErrorCounts)
    characters: ErrorCounts = field(default_factory=ErrorCounts)
    mixed: ErrorCounts = field(default_factory=ErrorCounts)
    points: ErrorCounts = field(default_factory=ErrorCounts)
    rest: ErrorCounts = field(default_factory=ErrorCounts)
    switches: ErrorCounts = field(default_factory=ErrorCounts)
    attributed: LanguageErrors = field(default_factory=LanguageErrors)

    def __add__(self, other: LiveCounts) -> LiveCounts:
        return LiveCounts(
            self.words + other.words,
            self.characters + other.characters,
            self.mixed + other.mixed,
            self.points + other.points,
            self.rest + other.rest,
            self.switches + other.switches,
            self.attributed + other.attributed,
        )

    def rates(self) -> dict[str, tuple[int, int]]:
        """Errors and units of each rate; PIER has no units if all or none of the reference are points of interest."""
        points = self.points if self.rest.reference_length else ErrorCounts()
        named = {
            "wer": self.words, "cer": self.characters, "mer": self.mixed, "pier": points, "switch": self.switches,
        }  # fmt: skip
        found = {name: (one.errors, one.reference_length) for name, one in named.items()}
        return found | {"language": (self.attributed.errors, self.attributed.words)}


@dataclass(frozen=True, slots=True)
class _Settled:
    """Counts of the old part of the session, which is not aligned again."""

    counts: LiveCounts = field(default_factory=LiveCounts)
    reference: int = 0
    """Number of settled reference units."""
    heard: int = 0
    """Number of settled recognised units."""
    sentences: Mapping[int, int] = field(default_factory=dict)
    """Sentence number -> errors."""


class LiveScore:
    """Live score of one session; it uses no clock, so the same calls give the same scores.

    Args:
        vectors: sentence vectors for SAER; None: no SAER.
        whole: scores everything at the end; same interface as `score_utterance`.
    """

    def __init__(
        self, vectors: Vectors | None = None, whole: Callable[[Pairing], UtteranceScore] = score_utterance
    ) -> None:
        self._vectors, self._whole = vectors, whole
        self._sentences: list[SpokenText] = []
        self._finals: list[SpokenText] = []
        self._matrix: str | None = None
        self._begin((), marked=False)

    @property
    def units(self) -> int:
        """Number of mixed units in the reference so far."""
        return len(self._reference.units)

    def add_reference(
        self, text: str, words: Known = (), points: Sequence[int] = (), languages: Sequence[str] = ()
    ) -> None:
        """Append to the reference; pieces are joined by a space.

        Args:
            words: words of `text` with their languages, if any are known or marked.
            points: indices in `words` of the points of interest.
            languages: ISO 639-3 codes, the main language first.

        Raises:
            DataError: if `words` do not match `text`.
        """
        among = tuple(dict.fromkeys((*self._reference.among, *languages)))
        marked = self._reference.marked or bool(points)
        sentence = spoken_text(text, words, among, tuple(points))
        if words and not sentence.words:
            raise DataError("its words are not those of its text")
        self._sentences.append(sentence)
        if (among, marked) != (self._reference.among, self._reference.marked):
            self._begin(among, marked=marked)  # earlier sentences are affected too
        else:
            self._reference.add(sentence)
        if self._reference.matrix != self._matrix:
            self._matrix = self._reference.matrix
            self._settled = _Settled()

    def add_final(
        self, text: str, words: Known = (), *, segment: int = 0, at_s: float = 0.0, meaning: bool = True
    ) -> ScoreEvent | None:
        """Add a final and return the score so far; None without a reference.

        Args:
            words: words of `text` with their languages; ignored if they do not match `text`.
            segment: segment number for the event.
            at_s: time for the event, in seconds.
            meaning: whether to compute SAER.
        """
        self._finals.append(spoken_text(text, words, self._reference.among))
        self._heard.add(self._finals[-1])
        if not self._sentences:
            return None
        settled = self._settled
        heard = self._heard.units[settled.heard :]
        ahead = self._reference.units[settled.reference : settled.reference + 2 * len(heard)]
        alignment = align(ahead[: closest_prefix(ahead, heard)], heard)
        counts = settled.counts + self._count(alignment)
        end = settled.reference + len(alignment.reference)
        event = ScoreEvent(
            is_final=False, segment=segment, at_s=at_s, counts=counts.rates(), reference_units=end,
            reference_units_in_all=self.units,
            sentences=self._reference.sentences(alignment, settled.reference, settled.sentences), signature=SIGNATURE,
        )  # fmt: skip
        event = self._with_meaning(event, end) if meaning else _without(event, self._vectors, "more has been said")
        if len(heard) > WINDOW:
            self._settle(alignment)
        return event

    def finish(self, at_s: float = 0.0) -> ScoreEvent:
        """Score everything that was recognised against the whole reference."""
        pairing = self.pairing()
        score = self._whole(pairing)
        points, attributed = score.points, score.attributed
        counts = LiveCounts(
            score.words, score.characters, score.mixed, points.points, points.rest, score.switches, attributed
        )
        event = ScoreEvent(
            is_final=True, segment=None, at_s=at_s, counts=counts.rates(), reference_units=self.units,
            reference_units_in_all=self.units, sentences=self._reference.sentences(score.alignment, 0, {}),
            signature=SIGNATURE,
        )  # fmt: skip
        return _with_meaning(event, pairing, self._vectors, SAER_LETTERS_IN_ALL, score)

    def pairing(self) -> Pairing:
        """The whole session as one utterance."""
        points: list[int] = []
        words: list[tuple[str, str | None]] = []
        for sentence in self._sentences:
            points += [len(words) + place for place in sentence.points]
            words += sentence.all_words
        return Pairing(
            " ".join(sentence.text for sentence in self._sentences),
            " ".join(final.text for final in self._finals),
            self._reference.among,
            reference_words=tuple(words) if any(sentence.words for sentence in self._sentences) else (),
            hypothesis_words=tuple(word for final in self._finals for word in final.all_words),
            points=tuple(points) or None,
        )

    def _begin(self, among: tuple[str, ...], *, marked: bool) -> None:
        """Rebuild both sides with the current languages."""
        self._reference, self._heard = ReferenceSoFar(among, marked=marked), UnitsSoFar(among)
        self._settled = _Settled()
        for pieces, side in ((self._sentences, self._reference), (self._finals, self._heard)):
            pieces[:] = [spoken_text(one.text, one.words, among, one.points) for one in pieces]
            for piece in pieces:
                side.add(piece)

    def _count(self, alignment: EditAlignment) -> LiveCounts:
        """Count errors of an alignment that begins at the end of the settled part."""
        reference, heard, start, begin = self._reference, self._heard, self._settled.reference, self._settled.heard
        end, until = start + len(alignment.reference), begin + len(alignment.hypothesis)
        points = reference.points(start, end)
        characters = count_other_units(alignment, "".join(alignment.reference), "".join(alignment.hypothesis))
        words, kind = alignment.counts, wer_unit(reference.among)
        if kind == UnitKind.cer:
            words = characters
        elif kind == UnitKind.wer:
            words = count_other_units(alignment, reference.words(start, end), heard.words(begin, until))
        return LiveCounts(
            words,
            characters,
            alignment.counts,
            alignment.within(points),
            alignment.within(sorted(set(range(end - start)).difference(points))),
            alignment.within(reference.near_switches(start, end)),
            language_errors(alignment, reference.languages[start:end], heard.languages[begin:until]),
        )

    def _settle(self, alignment: EditAlignment) -> None:
        """Settle the old part of an alignment."""
        cut = self._cut(alignment)
        if cut is None:
            return
        (source, target), before = cut, self._settled
        edits = tuple(edit for edit in alignment.edits if edit.source < source or edit.target < target)
        old = EditAlignment(alignment.reference[:source], alignment.hypothesis[:target], edits)
        errors = self._reference.sentence_errors(old, before.reference)
        self._settled = _Settled(
            before.counts + self._count(old),
            before.reference + source,
            before.heard + target,
            dict(Counter(before.sentences) + errors),
        )

    def _cut(self, alignment: EditAlignment) -> tuple[int, int] | None:
        """Position to cut at: in the last long run of equal units that is old enough, between words if possible."""
        latest, within = len(alignment.hypothesis) - KEPT, None
        for source, target, length in reversed(equal_runs(alignment)):
            for step in reversed(range(1, min(length, latest - target + 1)) if length >= _RUN else ()):
                places = self._settled.reference + source + step, self._settled.heard + target + step
                if self._reference.first[places[0]] and self._heard.first[places[1]]:
                    return source + step, target + step
                within = within or (source + step, target + step)
        if within is None and len(alignment.hypothesis) > MOST:
            pairs = (pair for pair in alignment.pairs() if pair.hypothesis is not None and pair.hypothesis < latest)
            within = max((p.reference + 1 for p in pairs if p.reference is not None), default=0), latest
        return within

    def _with_meaning(self, event: ScoreEvent, end: int) -> ScoreEvent:
        """Add SAER against the reference prefix that ends at unit `end`."""
        if max(end, len(self._heard.units)) > SAER_LETTERS:
            return _without(event, self._vectors, _TOO_LONG)
        said, heard = self._reference.words(0, end), self._heard.words(0, len(self._heard.units))
        so_far = Pairing(" ".join(said), " ".join(heard), self._reference.among)
        return _with_meaning(event, so_far, self._vectors, SAER_LETTERS)


def _with_meaning(
    event: ScoreEvent, pairing: Pairing, vectors: Vectors | None, letters: int, score: UtteranceScore | None = None
) -> ScoreEvent:
    if vectors is None or max(len(pairing.reference), len(pairing.hypothesis)) > letters:
        return _without(event, vectors, _TOO_LONG)
    try:
        result = saer([pairing], vectors, scores=None if score is None else [score])
    except LanguageError as error:
        return _without(event, vectors, str(error))
    return replace(
        event, saer=result.saer, distance=result.distance, encoder=result.encoder,
        signature=f"{SIGNATURE} {result.signature}",
    )  # fmt: skip


def _without(event: ScoreEvent, vectors: Vectors | None, why: str) -> ScoreEvent:
    """Give the reason why SAER is missing."""
    return replace(event, missing=why if vectors is not None else "no encoder is set")
