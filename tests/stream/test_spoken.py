"""Languages that words may be in: possible in the whole, or clear somewhere; among those asked for."""

import torch

from speech.stream.spoken import expected, posterior

KNOWN = ("deu", "eng", "spa")
SURE = torch.log(torch.tensor([0.01, 0.01, 0.98]))
TORN = torch.log(torch.tensor([0.45, 0.45, 0.099]))


def test_only_those_asked_for_have_a_share():
    assert posterior(7 * SURE, 7, (), KNOWN).argmax() == 2
    assert posterior(7 * SURE, 7, ("deu", "eng"), KNOWN).tolist() == [0.5, 0.5, 0.0]
    assert posterior(7 * SURE, 7, ("fra",), KNOWN).tolist() == [0.0, 0.0, 0.0]


def test_a_language_may_be_clear_for_a_second_alone():
    assert expected(TORN.expand(7, -1), (), KNOWN) == KNOWN[:2]
    long = torch.cat([torch.log(torch.tensor([0.98, 0.01, 0.01])).expand(400, -1), SURE.expand(50, -1)])
    assert expected(long, (), KNOWN) == ("deu", "spa")
    assert expected(long[:400], (), KNOWN) == ("deu",)
