"""Scores while somebody still speaks: finals against as much of the reference as has been said, in the end against all.

After each final the text so far is scored against that beginning of the reference, in mixed units, that has the fewest
errors; of several the longest. Points of interest are those of the reference as far as it has been sent. What lies
long behind is not aligned anew: behind a run of equal units that is at least `KEPT` units old its errors are settled.
The last score aligns everything once, and is what `speech score` computes.
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
from speech.metrics.edit.error_rate import word_form
from speech.metrics.edit.prefix import closest_prefix, equal_runs
from speech.metrics.live_text import ReferenceSoFar, SpokenText, UnitsSoFar, spoken_text
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.utterance import Known, Pairing, UtteranceScore, score_utterance
from speech.text.units import Form

WINDOW, KEPT, MOST = 400, 200, 2000
"""Units heard: from so many on the older ones are settled, so many stay, and with so many they are settled anyway."""
_RUN = 4
SAER_LETTERS, SAER_LETTERS_IN_ALL = 1000, 10_000
"""Longest text that is encoded after each final, and in the end: a vector of an hour says little and takes minutes."""
_TOO_LONG = "the text is too long for one vector"


@dataclass(frozen=True, slots=True)
class LiveCounts:
    """Counts of a part of the session; addable."""

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
        """Errors and units of each rate; PIER has none without points of interest, or without anything else."""
        points = self.points if self.rest.reference_length else ErrorCounts()
        named = {
            "wer": self.words, "cer": self.characters, "mer": self.mixed, "pier": points, "switch": self.switches,
        }  # fmt: skip
        found = {name: (one.errors, one.reference_length) for name, one in named.items()}
        return found | {"language": (self.attributed.errors, self.attributed.words)}


@dataclass(frozen=True, slots=True)
class _Settled:
    """What lies so long behind that it is not aligned anew."""

    counts: LiveCounts = field(default_factory=LiveCounts)
    reference: int = 0
    """Units of the reference."""
    heard: int = 0
    """Units that were recognised."""
    sentences: Mapping[int, int] = field(default_factory=dict)
    """Sentence -> errors."""


class LiveScore:
    """Of one session; sans any clock: the same calls make the same scores.

    Args:
        vectors: of a sentence encoder, for SAER.
        whole: scores everything in the end; as `score_utterance`.
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
        """Mixed units of the reference so far."""
        return len(self._reference.units)

    @property
    def has_reference(self) -> bool:
        return bool(self._sentences)

    def add_reference(
        self, text: str, words: Known = (), points: Sequence[int] = (), languages: Sequence[str] = ()
    ) -> None:
        """More of what is really said; pieces are joined by a space.

        Args:
            words: those of `text` with their languages, if any are known or marked.
            points: places among `words` that are of interest.
            languages: ISO 639-3, the main one first.

        Raises:
            DataError: if `words` are not those of `text`.
        """
        among = tuple(dict.fromkeys((*self._reference.among, *languages)))
        marked = self._reference.marked or bool(points)
        sentence = spoken_text(text, words, among, tuple(points))
        if words and not sentence.words:
            raise DataError("its words are not those of its text")
        self._sentences.append(sentence)
        if (among, marked) != (self._reference.among, self._reference.marked):
            self._begin(among, marked=marked)  # what is known of earlier sentences changes too
        else:
            self._reference.add(sentence)
        if self._reference.matrix != self._matrix:
            self._matrix = self._reference.matrix
            self._settled = _Settled()

    def add_final(
        self, text: str, words: Known = (), *, segment: int = 0, at_s: float = 0.0, meaning: bool = True
    ) -> ScoreEvent | None:
        """The score behind another final; None while there is no reference.

        Args:
            words: those of `text` with their languages; they are not looked at where they are others.
            segment: for the event.
            at_s: for the event.
            meaning: whether SAER is wanted.
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
        """Everything that was said against the whole reference."""
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
        """All of it as one utterance."""
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
        """Take in both sides again, with what is known now."""
        self._reference, self._heard = ReferenceSoFar(among, marked=marked), UnitsSoFar(among)
        self._settled = _Settled()
        for pieces, side in ((self._sentences, self._reference), (self._finals, self._heard)):
            pieces[:] = [spoken_text(one.text, one.words, among, one.points) for one in pieces]
            for piece in pieces:
                side.add(piece)

    def _count(self, alignment: EditAlignment) -> LiveCounts:
        """Of an alignment that begins where what is settled ends."""
        reference, heard, start, begin = self._reference, self._heard, self._settled.reference, self._settled.heard
        end, until = start + len(alignment.reference), begin + len(alignment.hypothesis)
        points = reference.points(start, end)
        characters = count_other_units(alignment, "".join(alignment.reference), "".join(alignment.hypothesis))
        words, form = alignment.counts, word_form(reference.among)
        if form == Form.cer:
            words = characters
        elif form == Form.wer:
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
        """Count what lies long behind for good."""
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
        """Within the last long run of equal units that is old enough, between two words if it can be."""
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
        """With SAER of the beginning of the reference that ends at a unit."""
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
    """Without SAER, which needs an encoder and a text that it can take."""
    return replace(event, missing=why if vectors is not None else "no encoder is set")
