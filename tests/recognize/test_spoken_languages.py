"""Languages that words may be in: possible in the whole, or clear somewhere; among those asked for."""

import torch

from speech.recognize.request import Request
from speech.recognize.spoken_languages import expected, written_in

KNOWN = ("deu", "eng", "spa")
SURE = torch.log(torch.tensor([0.01, 0.01, 0.98]))
TORN = torch.log(torch.tensor([0.45, 0.45, 0.099]))


def test_only_those_asked_for_are_expected_and_without_frames_any():
    assert expected(SURE.expand(7, -1), ("deu", "eng"), KNOWN) == ("deu", "eng")
    assert expected(SURE.expand(7, -1), ("fra",), KNOWN) == ()
    assert expected(SURE.expand(0, -1), (), KNOWN) == KNOWN


def test_a_language_may_be_clear_for_a_second_alone():
    assert expected(TORN.expand(7, -1), (), KNOWN) == KNOWN[:2]
    long = torch.cat([torch.log(torch.tensor([0.98, 0.01, 0.01])).expand(400, -1), SURE.expand(50, -1)])
    assert expected(long, (), KNOWN) == ("deu", "spa")
    assert expected(long[:400], (), KNOWN) == ("deu",)


def test_words_are_in_what_is_translated_into_or_named_and_otherwise_as_expected():
    evidence = SURE.expand(7, -1)
    assert written_in(evidence, Request(("deu",), to="eng"), KNOWN) == ("eng",)
    assert written_in(evidence, Request(("jpn",)), KNOWN) == ("jpn",)
    assert written_in(None, Request(("deu", "eng")), KNOWN) == ()
    assert written_in(evidence, Request(("deu", "spa")), KNOWN) == ("spa",)
