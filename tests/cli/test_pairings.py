"""References and hypotheses are paired, and recordings are shared among their segments."""

import pytest

from speech.cli.pairings import pairings, recordings_of
from speech.data.texts import TaggedWord, Text
from speech.errors import DataError


def segment(key, text, start_s, duration_s=2.0, recording="talk", languages=("eng",)):
    return Text(key, text, languages, duration_s=duration_s, recording=recording, start_s=start_s)


def said(key, *words):
    tagged = tuple(TaggedWord(word, None, emitted_s=time_s) for word, time_s in words)
    return Text(key, " ".join(word for word, _ in words), words=tagged, duration_s=9.0)


def by_id(*texts):
    return {text.id: text for text in texts}


def test_the_words_of_a_recording_are_timed_from_the_start_of_their_segment():
    references = by_id(segment("b", "today we sing", 3.0), segment("a", "good morning everybody", 0.5))
    found = pairings(
        references,
        by_id(said("talk", ("Good", 1.0), ("morning.", 2.5), ("Today", 3.5), ("we", 4.0), ("sing!", 6.5))),
        "talk.jsonl",
    )
    assert [(one.id, one.hypothesis, one.emitted_s) for one in found] == [
        ("b", "Today we sing!", (0.5, 1.0, 3.5)),
        ("a", "Good morning.", (0.5, 2.0)),
    ]
    assert [(one.duration_s, one.recording_end_s) for one in found] == [(2.0, 2.0), (2.0, 4.5)]


def test_languages_without_spaces_are_shared_by_character():
    references = by_id(
        segment("a", "我们去咖啡店。", 0.0, languages=("cmn",)), segment("b", "今天很好", 2.0, languages=("cmn",))
    )
    found = pairings(references, by_id(said("talk", ("我们去店今天", 2.5), ("很好", 4.0))), "talk")
    assert [(one.hypothesis, one.hypothesis_words, one.emitted_s) for one in found] == [
        ("我们去店", (("我们去店", None),), (2.5,)),
        ("今天很好", (("今天", None), ("很好", None)), (0.5, 2.0)),
    ]
    unknown = {key: segment(key, text.text, text.start_s, languages=()) for key, text in references.items()}
    assert [one.hypothesis for one in pairings(unknown, by_id(said("talk", ("我们去店今天", 2.5))), "talk")] == [
        "我们去店", "今天",
    ]  # fmt: skip


def test_a_text_without_times_is_shared_too():
    references = by_id(segment("a", "good morning", 0.0), segment("b", "today we sing", 3.0), segment("c", "x y", 8.0))
    found = pairings(references, by_id(Text("talk", "good morning today sing")), "talk")
    assert [one.hypothesis for one in found] == ["good morning", "today sing", ""]
    assert [one.emitted_s for one in found] == [(None, None), (None, None), ()]


def test_hypotheses_have_the_ids_of_the_recordings():
    references = by_id(segment("a", "one", 0.0), segment("b", "two", 0.0, recording="lecture"))
    with pytest.raises(DataError, match="lacks 1 of 2 ids: lecture; has 1 ids that are not in the reference: a"):
        pairings(references, by_id(said("talk"), said("a")), "x")


def test_all_references_are_segments_or_none():
    references = by_id(segment("a", "one", 0.0), Text("b", "two"))
    with pytest.raises(DataError, match="1 of 2 references are segments of a recording, 'b' is not"):
        recordings_of(references)
    assert recordings_of(by_id(Text("b", "two"))) == {}
