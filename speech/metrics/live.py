"""Scores while somebody still speaks: finals against as much of the reference as has been said, in the end against all.

After each final the text so far is scored against that beginning of the reference, in mixed units, that has the fewest
errors; of several the longest. Points of interest are those of the reference as far as it has been sent. What lies
long behind is not aligned anew: behind a run of equal units that is at least `KEPT` units old its errors are settled.
The last score aligns everything once, and is what `speech score` computes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from speech.errors import DataError, LanguageError
from speech.events import ScoreEvent
from speech.metrics.code_switching import LanguageErrors, language_errors
from speech.metrics.corpus import SIGNATURE, Known, Pairing, UtteranceScore, score_utterance
from speech.metrics.edit.alignment import Alignment, ErrorCounts, align, count_errors
from speech.metrics.edit.prefix import closest_prefix, equal_runs
from speech.metrics.meaning.saer import Sample, saer
from speech.metrics.meaning.vectors import Vectors
from speech.text.normalize import scored_text
from speech.text.units import Form, units
from speech.text.word_language import word_languages

WINDOW, KEPT, MOST = 400, 200, 2000
"""Units heard: from so many on the older ones are settled, so many stay, and with so many they are settled anyway."""
_RUN = 4
SAER_LETTERS, SAER_LETTERS_IN_ALL = 1000, 10_000
"""Longest text that is encoded after each final, and in the end: a vector of an hour says little and takes minutes."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of a part of the session; addable."""

    words: ErrorCounts = field(default_factory=ErrorCounts)
    characters: ErrorCounts = field(default_factory=ErrorCounts)
    mixed: ErrorCounts = field(default_factory=ErrorCounts)
    points: ErrorCounts = field(default_factory=ErrorCounts)
    rest: ErrorCounts = field(default_factory=ErrorCounts)
    switches: ErrorCounts = field(default_factory=ErrorCounts)
    attributed: LanguageErrors = field(default_factory=LanguageErrors)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.words + other.words,
            self.characters + other.characters,
            self.mixed + other.mixed,
            self.points + other.points,
            self.rest + other.rest,
            self.switches + other.switches,
            self.attributed + other.attributed,
        )

    def counts(self) -> dict[str, tuple[int, int]]:
        """Errors and units of each rate; PIER has none without points of interest, or without anything else."""
        points = self.points if self.rest.reference_length else ErrorCounts()
        named = {
            "wer": self.words, "cer": self.characters, "mer": self.mixed, "pier": points, "switch": self.switches,
        }  # fmt: skip
        found = {name: (one.errors, one.reference_length) for name, one in named.items()}
        return found | {"language": (self.attributed.errors, self.attributed.words)}


@dataclass(slots=True)
class _Side:
    """Mixed units of one side, as far as they are known."""

    units: list[str] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)
    """Whether a unit is the first of a word."""
    languages: list[str | None] = field(default_factory=list)

    def add(self, plain: str, languages: Sequence[str | None]) -> None:
        for word in plain.split():
            parts = units(word, Form.mer)
            self.units += parts
            self.first += [True] + [False] * (len(parts) - 1)
        self.languages += languages

    def words(self, start: int, end: int) -> list[str]:
        """What stands between spaces; a word that is cut counts as two."""
        found: list[str] = []
        for place in range(start, end):
            if self.first[place] or not found:
                found.append(self.units[place])
            else:
                found[-1] += self.units[place]
        return found


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that was added to a side, and the languages that were said of its units."""

    text: str
    plain: str
    words: Known
    languages: tuple[str | None, ...]
    points: tuple[int, ...] = ()
    """Places among `words`."""


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
        self._pieces: list[_Piece] = []
        self._finals: list[_Piece] = []
        self._ends: list[int] = []  # of pieces, in units of the reference
        self._among: tuple[str, ...] = ()
        self._matrix: str | None = None
        self._marked = False
        self._begin_reference()
        self._begin_heard()

    @property
    def units(self) -> int:
        """Mixed units of the reference so far."""
        return len(self._reference.units)

    @property
    def has_reference(self) -> bool:
        return bool(self._pieces)

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
        among = tuple(dict.fromkeys((*self._among, *languages)))
        piece = _piece(text, words, among, tuple(points))
        if words and not piece.words:
            raise DataError("its words are not those of its text")
        self._pieces.append(piece)
        if among != self._among or (points and not self._marked):  # what is known of earlier pieces changes too
            self._among, self._marked = among, self._marked or bool(points)
            self._begin_reference()
            self._begin_heard()
            for side in (self._pieces, self._finals):
                side[:] = [_piece(one.text, one.words, among, one.points) for one in side]
            for one in self._pieces:
                self._take_reference(one)
            for one in self._finals:
                self._take_final(one)
        else:
            self._take_reference(piece)
        matrix = self._matrix_language()
        if matrix != self._matrix:
            self._matrix = matrix
            self._begin_settled()

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
        piece = _piece(text, words, self._among)
        self._finals.append(piece)
        self._take_final(piece)
        if not self._pieces:
            return None
        start, begin = self._settled_reference, self._settled_heard
        heard = self._heard.units[begin:]
        ahead = self._reference.units[start : start + 2 * len(heard)]
        alignment = align(ahead[: closest_prefix(ahead, heard)], heard)
        end = start + len(alignment.reference)
        figures = self._settled + self._count(alignment, start, begin)
        event = ScoreEvent(
            is_final=False, segment=segment, at_s=at_s, counts=figures.counts(), reference_units=end,
            reference_units_in_all=self.units, sentences=self._sentences(alignment, start, self._sentence_errors),
            signature=SIGNATURE,
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
        figures = Figures(
            score.words, score.characters, score.mixed, points.points, points.rest, score.switches, attributed
        )
        event = ScoreEvent(
            is_final=True, segment=None, at_s=at_s, counts=figures.counts(), reference_units=self.units,
            reference_units_in_all=self.units, sentences=self._sentences(score.alignment, 0, {}), signature=SIGNATURE,
        )  # fmt: skip
        return self._meant(event, pairing.sample, SAER_LETTERS_IN_ALL)

    def pairing(self) -> Pairing:
        """All of it as one utterance."""
        reference, heard = (" ".join(piece.text for piece in side) for side in (self._pieces, self._finals))
        points: list[int] = []
        words: list[tuple[str, str | None]] = []
        for piece in self._pieces:
            points += [len(words) + place for place in piece.points]
            words += _words(piece)
        told = any(piece.words for piece in self._pieces)
        return Pairing(
            Sample(reference, heard, self._among),
            tuple(words) if told else (),
            tuple(word for piece in self._finals for word in _words(piece)),
            tuple(points) or None,
        )

    def _begin_reference(self) -> None:
        self._reference, self._ends = _Side(), []
        self._switches: list[bool] = []
        self._interest: list[bool] = []
        self._counted: Counter[str] = Counter()
        self._last: str | None = None

    def _begin_heard(self) -> None:
        self._heard = _Side()
        self._begin_settled()

    def _begin_settled(self) -> None:
        self._settled, self._settled_reference, self._settled_heard = Figures(), 0, 0
        self._sentence_errors: dict[int, int] = {}

    def _take_reference(self, piece: _Piece) -> None:
        languages = self._told(piece)
        self._reference.add(piece.plain, languages)
        self._ends.append(self.units)
        marked = set(piece.points)
        for number, (word, _) in enumerate(_words(piece)):
            self._interest += [number in marked] * len(units(scored_text(word, self._among), Form.mer))
        for language in languages:
            self._switches.append(language is not None and self._last is not None and language != self._last)
            self._last = language or self._last
        self._counted.update(filter(None, languages))

    def _take_final(self, piece: _Piece) -> None:
        self._heard.add(piece.plain, self._told(piece))

    def _told(self, piece: _Piece) -> list[str | None]:
        """Languages of units: the given ones, otherwise what letters tell."""
        found, among = units(piece.plain, Form.mer), self._among
        guessed = word_languages(found, among) if len(among) > 1 else [among[0] if among else None] * len(found)
        return [language or other for language, other in zip(piece.languages, guessed, strict=True)]

    def _matrix_language(self) -> str | None:
        if self._marked:
            return None
        return (
            self._among[0] if len(self._among) > 1 else max(self._counted, key=self._counted.__getitem__, default=None)
        )

    def _is_point(self, place: int) -> bool:
        if self._marked:
            return self._interest[place]
        language = self._reference.languages[place]
        return language is not None and self._matrix is not None and language != self._matrix

    def _count(self, alignment: Alignment, start: int, begin: int) -> Figures:
        """Of an alignment that begins at places of both sides."""
        end, until = start + len(alignment.reference), begin + len(alignment.hypothesis)
        words = self._reference.words(start, end), self._heard.words(begin, until)
        places = range(start, end)
        points = [place - start for place in places if self._is_point(place)]
        rest = set(range(end - start)).difference(points)
        near = [n - start for n in places if self._switches[n] or (n + 1 < end and self._switches[n + 1])]
        languages = self._reference.languages[start:end], self._heard.languages[begin:until]
        return Figures(
            count_errors(*words),
            count_errors("".join(alignment.reference), "".join(alignment.hypothesis)),
            alignment.counts,
            alignment.within(points),
            alignment.within(sorted(rest)),
            alignment.within(near),
            language_errors(alignment, *languages),
        )

    def _sentences(self, alignment: Alignment, start: int, before: dict[int, int]) -> tuple[tuple[int, int, int], ...]:
        """(number, errors, units) of the pieces of the reference that an alignment touches."""
        end = start + len(alignment.reference)
        errors = Counter(before) + self._sentence_counts(alignment, start)
        found = []
        for number in range(bisect_right(self._ends, start), len(self._ends)):
            first = self._ends[number - 1] if number else 0
            if first >= end and not errors[number]:
                break
            found.append((number, errors[number], max(min(self._ends[number], end) - first, 0)))
        return tuple(found)

    def _sentence_counts(self, alignment: Alignment, start: int) -> Counter[int]:
        """Errors of each piece; an insertion belongs to the unit that it stands before, behind all to the last."""
        last = max(start + len(alignment.reference) - 1, 0)
        places = (min(start + edit.source, last) for edit in alignment.edits)
        return Counter(min(bisect_right(self._ends, place), len(self._ends) - 1) for place in places)

    def _settle(self, alignment: Alignment) -> None:
        """Count what lies long behind for good."""
        cut = self._cut(alignment)
        if cut is None:
            return
        source, target = cut
        edits = tuple(edit for edit in alignment.edits if edit.source < source or edit.target < target)
        old = Alignment(alignment.reference[:source], alignment.hypothesis[:target], edits)
        self._settled += self._count(old, self._settled_reference, self._settled_heard)
        self._sentence_errors = dict(
            Counter(self._sentence_errors) + self._sentence_counts(old, self._settled_reference)
        )
        self._settled_reference += source
        self._settled_heard += target

    def _cut(self, alignment: Alignment) -> tuple[int, int] | None:
        """Within the last long run of equal units that is old enough, between two words if it can be."""
        latest, within = len(alignment.hypothesis) - KEPT, None
        for source, target, length in reversed(equal_runs(alignment)):
            for step in reversed(range(1, min(length, latest - target + 1)) if length >= _RUN else ()):
                places = self._settled_reference + source + step, self._settled_heard + target + step
                if self._reference.first[places[0]] and self._heard.first[places[1]]:
                    return source + step, target + step
                within = within or (source + step, target + step)
        if within is None and len(alignment.hypothesis) > MOST:
            pairs = (pair for pair in alignment.pairs() if pair.hypothesis is not None and pair.hypothesis < latest)
            within = max((p.reference + 1 for p in pairs if p.reference is not None), default=0), latest
        return within

    def _with_meaning(self, event: ScoreEvent, end: int) -> ScoreEvent:
        if max(end, len(self._heard.units)) > SAER_LETTERS:
            return _without(event, self._vectors, _TOO_LONG)
        said, heard = self._reference.words(0, end), self._heard.words(0, len(self._heard.units))
        return self._meant(event, Sample(" ".join(said), " ".join(heard), self._among), SAER_LETTERS)

    def _meant(self, event: ScoreEvent, sample: Sample, letters: int) -> ScoreEvent:
        if self._vectors is None or max(len(sample.reference), len(sample.hypothesis)) > letters:
            return _without(event, self._vectors, _TOO_LONG)
        try:
            result = saer([sample], self._vectors)
        except LanguageError as error:
            return _without(event, self._vectors, str(error))
        return replace(
            event, saer=result.saer, distance=result.distance, encoder=result.encoder,
            signature=f"{SIGNATURE} {result.signature}",
        )  # fmt: skip


_TOO_LONG = "the text is too long for one vector"


def _piece(text: str, words: Known, among: tuple[str, ...], points: tuple[int, ...] = ()) -> _Piece:
    """Without the words if they are those of another text."""
    plain = scored_text(text, among)
    found = units(plain, Form.mer)
    parts = [(unit, language) for word, language in words for unit in units(scored_text(word, among), Form.mer)]
    if words and [unit for unit, _ in parts] == found:
        return _Piece(text, plain, words, tuple(language for _, language in parts), points)
    return _Piece(text, plain, (), (None,) * len(found), points)


def _words(piece: _Piece) -> Known:
    return piece.words or tuple((word, None) for word in piece.text.split())


def _without(event: ScoreEvent, vectors: Vectors | None, why: str) -> ScoreEvent:
    """Without SAER, which needs an encoder and a text that it can take."""
    return replace(event, missing=why if vectors is not None else "no encoder is set")
