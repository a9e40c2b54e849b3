"""Listed words that a translation adds are reported while texts grow and end, and as for the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.events import TranslationEvent
from speech.stream.options import StreamOptions, TranslationOptions
from speech.transcript import Toxicity, joined_toxicity
from speech.translate.local_agreement import LocalAgreement
from speech.translate.toxicity import ToxicWords
from tests.stream.text_talk import Talk
from tests.text_translators import Failing, Leaving, Tagging, tagged

LISTED = ToxicWords({"fra": ["dog", "cat"], "eng": ["rat"]})


def toxicities(talk: Talk) -> list[tuple[str, Toxicity | None]]:
    return [(e.text, e.toxicity) for e in talk.texts.drain() if isinstance(e, TranslationEvent)]


def test_what_parts_have_added_is_reported_until_the_segment_ends():
    found = Toxicity(("dog",), removed=False)
    talk = Talk(toxic_words=LISTED, translation=None)
    for text, closes in (("one", False), ("a dog", False), ("a rat cat", True), ("two", True)):
        talk.end(text, closes=closes)
    assert toxicities(talk) == [
        ("fra-one", None),
        ("fra-one fra-a fra-dog", found),
        ("fra-one fra-a fra-dog fra-a fra-rat fra-cat", found),  # a listed word is said there
        ("fra-two", None),
    ]
    talk = Talk(Leaving(), toxic_words=LISTED, translation=None)
    talk.end("a dog")
    assert toxicities(talk) == [("fra-a 1", Toxicity(("dog",), removed=True))]


APPENDED = TranslationOptions(policy=LocalAgreement(), append=True, first_s=1.0, step_s=1.0)


def test_a_draft_that_has_added_words_says_so_and_a_final_in_its_place_has_its_own():
    talk = Talk(toxic_words=LISTED)
    talk.grow("the dog ran")
    talk.grow("the dog ran home")
    talk.end("The hog ran home.")
    assert toxicities(talk) == [
        ("fra-the fra-dog fra-ran", Toxicity(("dog",), removed=False)),
        (tagged("The hog ran home.", "fra"), None),
    ]


def test_what_was_appended_stays_and_is_reported_to_the_end():
    talk = Talk(toxic_words=LISTED, translation=APPENDED)
    talk.grow("the dog ran")
    talk.grow("the dog ran home")
    talk.end("The hog ran home.")
    (_, early), (text, last) = toxicities(talk)
    assert text == "fra-the fra-dog fra-ran fra-home."
    assert early == last == Toxicity(("dog",), removed=False)


def test_of_appended_drafts_only_what_is_written_stays():
    talk = Talk(toxic_words=LISTED, translation=APPENDED)
    talk.grow("the big dog")
    talk.grow("the big cow ran")
    talk.end("The big cow ran home.")
    (before, early), (after, last) = toxicities(talk)
    assert (before, after) == ("fra-the fra-big", "fra-the fra-big fra-cow fra-ran fra-home.")
    assert early == last == Toxicity(("dog",), removed=True)  # a draft had it, the text never


def test_a_word_that_is_heard_later_was_not_added():
    talk = Talk(toxic_words=LISTED, translation=APPENDED)
    talk.grow("the dog ran")
    talk.grow("the dog ran off")
    talk.end("The dog ran off, rat.")
    (_, early), (_, last) = toxicities(talk)
    assert (early, last) == (Toxicity(("dog",), removed=False), None)


def test_if_the_translation_of_a_part_fails_its_drafts_are_judged():
    failing = [False]
    talk = Talk(Failing(lambda: failing[0]), toxic_words=LISTED)
    talk.grow("the dog ran")
    talk.grow("the dog ran home")
    failing[0] = True
    talk.end("The dog ran home.")
    found = toxicities(talk)
    assert found[-1] == ("fra-the fra-dog fra-ran", Toxicity(("dog",), removed=False))


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(
        st.tuples(
            st.lists(st.lists(st.sampled_from(["dog", "cat", "rat", "x", "y"]), max_size=4), min_size=1, max_size=4),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    append=st.booleans(),
    leaving=st.booleans(),
)
def test_a_listed_word_is_shown_only_with_a_report_or_if_a_listed_word_is_said(parts, append, leaving):
    rules = TranslationOptions(policy=LocalAgreement(), append=append, first_s=0.0, step_s=0.16)
    talk = Talk(Leaving() if leaving else Tagging(), toxic_words=LISTED, translation=rules)
    heard: dict[int, str] = {}
    for growing, closes in parts:
        segment = talk.segment
        for text in growing:
            heard[segment] = f"{heard.get(segment, '')} {' '.join(text)}"
            talk.grow(" ".join(text))
        talk.end(" ".join(growing[-1]), closes=closes)
    for event in talk.texts.drain():
        assert isinstance(event, TranslationEvent)
        shown_words = LISTED.matches(event.text, "fra")
        said = LISTED.matches(heard[event.segment], "eng")
        reported = event.toxicity is not None and not event.toxicity.removed
        assert not reported or set(event.toxicity.found) & set(shown_words)
        assert not shown_words or said or (reported and set(shown_words) <= set(event.toxicity.found))
        assert not leaving or append or said or not event.is_final or not shown_words


@pytest.mark.parametrize(("translator", "removed"), [(Leaving, True), (Tagging, False)])
def test_behind_the_embedded_model_added_words_are_reported_as_for_the_file(recognizer, speech, translator, removed):
    entry = recognizer.transcribe(speech, language="eng", plain=True).text.split()[0]
    own = type(recognizer).of_parts(
        recognizer._second_pass,
        translator=translator(sources=("eng",), targets=("ita",)),
        toxic_words=ToxicWords({"ita": [entry]}),
    )
    session = own.engine().open(StreamOptions(languages=("eng",), targets=("ita",)))
    events = [*session.accept(speech), *session.finish()]
    finals = [e for e in events if isinstance(e, TranslationEvent) and e.is_final]
    whole = own.transcribe(speech, language="eng", to="ita")
    assert " ".join(e.text for e in finals).split() == whole.text.split()
    assert whole.toxicity == Toxicity((entry,), removed=removed)
    assert joined_toxicity(e.toxicity for e in finals) == whole.toxicity
