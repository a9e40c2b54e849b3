import numpy as np
import pytest

from speech import Recognizer
from speech.decode.endpoint import Reason
from speech.recognize.label_pass import LabelPass
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.simultaneous import draft_of, words_of
from speech.translate.policy import TranslationDraft

REQUEST = Request(("fra",), "eng", draft=True)


def part(samples: np.ndarray, start: int = 0, keep: int = 0, *, rested: bool = True, **options) -> Part:
    end = start + len(samples)
    return Part(start, samples, keep, len(samples), end, True, False, end, Reason.client, rested, **options)


def draft(*pieces: bytes, at: tuple[float, ...]) -> TranslationDraft:
    return TranslationDraft(
        2.0, tuple(range(len(pieces))), pieces, False, at, tuple(0.5 + 0.1 * n for n in range(len(at)))
    )


def test_words_have_the_times_and_doubts_of_their_tokens():
    found = draft(b" Good", b" mor", b"ning", b",", at=(0.2, 0.9, 0.7, 1.0))
    words = words_of(found, 4, part(np.zeros(32_000, np.float32), start=16_000), REQUEST)
    assert [(word.text, word.start_s, word.end_s, word.language) for word in words] == [
        ("Good", 1.2, 1.2, "eng"),
        ("morning,", 1.7, 2.0, "eng"),
    ]
    assert words[1].confidence == pytest.approx(0.6)


def test_only_the_first_tokens_are_written():
    found = draft(b" Good", b" morning", at=(0.2, 0.9))
    assert [word.text for word in words_of(found, 1, part(np.zeros(320, np.float32)), REQUEST)] == ["Good"]
    assert words_of(found, 0, part(np.zeros(320, np.float32)), REQUEST) == []


def test_what_translates_the_part_before_is_left_out():
    found = draft(b" yesterday", b" today", at=(0.1, 0.9))
    cut = part(np.zeros(32_000, np.float32), start=8_000, keep=8_000, rested=False)
    assert [word.text for word in words_of(found, 2, cut, REQUEST)] == ["today"]


def test_plain_words_have_no_case_and_signs():
    found = draft(b" Good", b".", b" -", at=(0.1, 0.2, 0.3))
    plain = Request(("fra",), "eng", plain=True, draft=True)
    assert [word.text for word in words_of(found, 3, part(np.zeros(320, np.float32)), plain)] == ["good"]


@pytest.fixture(scope="module")
def label(recognizer: Recognizer) -> LabelPass:
    found = recognizer.second_pass.label
    assert found is not None
    return found


def test_speech_is_drafted_from_what_has_been_written(label, speech):
    first = draft_of(label, part(speech), REQUEST)
    assert first is not None
    assert first.tokens
    assert first.written == ()
    assert len(first.tokens) == len(first.pieces) == len(first.attended_s) == len(first.chances)
    assert all(0.0 <= at <= len(speech) / 16_000 for at in first.attended_s)
    rest = draft_of(label, part(speech, translated=first.tokens[:3]), REQUEST)
    assert rest is not None
    assert rest.written == first.tokens[:3]
    assert rest.tokens[:2] == first.tokens[3:5]  # greedy: the same text goes on
    assert rest.written_words == len(b"".join(first.pieces[:3]).split())


def test_silence_is_not_drafted(label):
    noise = np.random.default_rng(0).normal(0, 1e-3, 48_000).astype(np.float32)
    assert draft_of(label, part(noise), REQUEST) is None
    silent = Part(0, noise, 0, len(noise), 0, True, True, len(noise), Reason.client)
    assert draft_of(label, silent, REQUEST) is None


def test_a_language_that_the_decoder_does_not_know_is_not_drafted(label, speech):
    unknown = next(code for code in ("myx", "lad", "gla") if code not in label.tokenizer.languages)
    assert draft_of(label, part(speech), Request((unknown,), "eng", draft=True)) is None
