"""What `speech score` compares: each reference with its hypothesis, or with its share of a recording's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from speech.data.texts import TaggedWord, Text, check_ids
from speech.errors import DataError
from speech.metrics.resegmentation import resegment
from speech.metrics.utterance import Pairing
from speech.text.languages import resolve
from speech.text.normalize import plain_text
from speech.text.units import is_mixed


def recordings_of(references: Mapping[str, Text]) -> dict[str, list[Text]]:
    """The segments of each recording, in the order of their starts; empty if the references are no segments.

    Raises:
        DataError: if some references are segments of a recording and others are not.
    """
    found: dict[str, list[Text]] = defaultdict(list)
    whole = [key for key, text in references.items() if text.recording is None]
    if len(whole) == len(references):
        return {}
    if whole:
        fault = f"{len(references) - len(whole)} of {len(references)} references are segments of a recording"
        raise DataError(f"{fault}, {whole[0]!r} is not", fix="Give each a recording, start and duration.")
    for text in references.values():
        found[text.recording or ""].append(text)
    return {name: sorted(segments, key=lambda one: one.start_s) for name, segments in found.items()}


def pairings(references: Mapping[str, Text], hypotheses: Mapping[str, Text], where: str) -> list[Pairing]:
    """Pair each reference with its hypothesis, in the order of the references.

    If the references are segments of recordings, the hypotheses are those of whole recordings and have their ids; the
    words are shared among the segments by `speech.metrics.resegmentation`.

    Args:
        where: name of the hypotheses, for errors.

    Raises:
        DataError: if ids are missing or too many, or only some references are segments.
    """
    recordings = recordings_of(references)
    if not recordings:
        check_ids(references, hypotheses, where)
        return [_pairing(text, hypotheses[key]) for key, text in references.items()]
    check_ids({name: segments[0] for name, segments in recordings.items()}, hypotheses, where)
    shared: dict[str, Pairing] = {}
    for name, segments in recordings.items():
        end_s = max(one.start_s + (one.duration_s or 0.0) for one in segments)
        for one, said in zip(segments, _shares(segments, hypotheses[name]), strict=True):
            shared[one.id] = replace(_pairing(one, said), recording_end_s=end_s - one.start_s)
    return [shared[key] for key in references]


def _pairing(reference: Text, hypothesis: Text) -> Pairing:
    tagged = tuple(place for place, word in enumerate(reference.words) if word.tagged)
    return Pairing(
        reference.text,
        hypothesis.text,
        reference.languages,
        reference.id,
        reference_words=tuple((word.text, word.language) for word in reference.words),
        hypothesis_words=tuple((word.text, word.language) for word in hypothesis.words),
        points=tagged or None,
        emitted_s=tuple(word.emitted_s for word in hypothesis.words),
        duration_s=hypothesis.duration_s if reference.duration_s is None else reference.duration_s,
    )


def _shares(segments: Sequence[Text], hypothesis: Text) -> list[Text]:
    """The words of a recording's hypothesis that belong to each segment, timed from the segment's start."""
    words = hypothesis.words or tuple(TaggedWord(word, None) for word in hypothesis.text.split())
    letters = _by_letter(segments)
    units = [(unit, place) for place, word in enumerate(words) for unit in (word.text if letters else [word.text])]
    references = [list("".join(one.text.split())) if letters else one.text.split() for one in segments]
    shares: list[dict[int, str]] = [{} for _ in segments]
    chosen = resegment(references, [unit for unit, _ in units], letters=letters)
    for (unit, place), number in zip(units, chosen, strict=True):
        if number is not None:
            shares[number][place] = shares[number].get(place, "") + unit
    return [
        _share(one, [_from(words[place], text, one.start_s) for place, text in share.items()])
        for one, share in zip(segments, shares, strict=True)
    ]


def _share(segment: Text, words: Sequence[TaggedWord]) -> Text:
    text = ""
    for before, word in zip([None, *words], words, strict=False):
        tight = before is not None and is_mixed(before.text) and is_mixed(word.text)
        text += word.text if tight or before is None else f" {word.text}"
    return Text(segment.id, text, words=tuple(words))


def _from(word: TaggedWord, text: str, start_s: float) -> TaggedWord:
    """A word, or a piece of it, timed from `start_s`."""
    return replace(word, text=text, emitted_s=None if word.emitted_s is None else word.emitted_s - start_s)


def _by_letter(segments: Sequence[Text]) -> bool:
    """Whether references are compared by character: their language is written without spaces."""
    language = next(iter(segments[0].languages), None)
    if language is not None:
        return not resolve(language).spaces
    return any(is_mixed(plain_text(one.text)) for one in segments)
