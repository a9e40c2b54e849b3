"""Hysteresis of the live language."""

import torch

from speech.decode.words.language_tracker import LanguageTracker, Switch

CODES = ["deu", "eng", "spa"]


def frames(code: str, count: int = 16, share: float = 0.9) -> torch.Tensor:
    other = (1 - share) / (len(CODES) - 1)
    return torch.log(torch.tensor([share if c == code else other for c in CODES])).expand(count, -1)


def test_a_language_is_named_once_it_has_been_clear_for_a_while():
    tracker = LanguageTracker(CODES)
    assert tracker.update(frames("eng")) is None
    switch = tracker.update(frames("eng"))
    assert isinstance(switch, Switch)
    assert (switch.previous, switch.language) == (None, "eng")
    assert tracker.update(frames("eng")) is None


def test_one_odd_chunk_does_not_switch_and_many_do():
    tracker = LanguageTracker(CODES)
    for _ in range(4):
        tracker.update(frames("eng"))
    assert tracker.update(frames("spa")) is None
    assert tracker.update(frames("eng")) is None
    switches = [s for _ in range(12) if (s := tracker.update(frames("spa"))) is not None]
    assert [(s.previous, s.language) for s in switches] == [("eng", "spa")]


def test_only_languages_that_are_allowed_are_named():
    tracker = LanguageTracker(CODES, ["deu", "spa"])
    for _ in range(8):
        tracker.update(frames("eng"))
    assert tracker.language in {None, "deu", "spa"}


def test_a_single_language_needs_no_evidence():
    tracker = LanguageTracker(CODES, ["spa"])
    assert tracker.language == "spa"
    assert tracker.update(frames("eng")) is None


def test_unclear_frames_name_nothing():
    tracker = LanguageTracker(CODES)
    assert all(tracker.update(frames("eng", share=0.4)) is None for _ in range(10))


def test_a_single_language_that_the_evidence_lacks_stays_as_sure_as_it_was():
    tracker = LanguageTracker(CODES, ["kat"])
    assert tracker.update(frames("eng")) is None
    assert (tracker.language, tracker.posterior) == ("kat", {"kat": 1.0})
