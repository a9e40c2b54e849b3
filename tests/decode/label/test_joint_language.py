"""The language that is spoken, by two judges who know different ones."""

import math

import pytest

from speech.decode.label.joint_language import joint_posterior

RULES = {"weights": (4.0, 2.0), "least": (-2.05, -4.0)}


def logs(**shares):
    return {code: math.log(share) for code, share in shares.items()}


def test_of_languages_that_both_know_the_weighted_sum_of_log_posteriors_decides():
    ctc, label = logs(deu=0.6, eng=0.4), logs(eng=0.7, deu=0.3)
    found = joint_posterior(ctc, label, weights=(1.0, 0.5), least=(-9.0, -9.0))
    deu, eng = 0.6 * 0.3**0.5, 0.4 * 0.7**0.5
    assert found == pytest.approx({"deu": deu / (deu + eng), "eng": eng / (deu + eng)})
    assert joint_posterior(ctc, label, weights=(1.0, 0.0), least=(-9.0, -9.0)) == pytest.approx(
        {"deu": 0.6, "eng": 0.4}
    )


@pytest.mark.parametrize(
    ("ctc", "label", "expected"),
    [
        (logs(gla=0.98, deu=0.02), logs(deu=0.5, spa=0.5), "gla"),
        (logs(gla=0.3, deu=0.7), logs(deu=0.02, spa=0.98), "spa"),
        (logs(gla=0.1, deu=0.9), logs(deu=0.1, spa=0.9), "deu"),
        (logs(gla=0.5, deu=0.5), logs(deu=0.95, spa=0.05), "deu"),
        ({}, logs(deu=0.4, spa=0.6), "spa"), (logs(gla=0.6, deu=0.4), {}, "gla"),
    ],
)  # fmt: skip
def test_a_language_that_one_alone_knows_is_taken_where_it_is_clear_and_the_other_is_not(ctc, label, expected):
    found = joint_posterior(ctc, label, **RULES)
    assert max(found, key=found.get) == expected
    assert set(found) == {*ctc, *label}
    assert sum(found.values()) == pytest.approx(1.0)


def test_languages_that_are_not_asked_for_have_no_share():
    ctc, label = logs(eng=0.9, deu=0.07, gla=0.03), logs(eng=0.98, deu=0.01, spa=0.01)
    assert [*joint_posterior(ctc, label, ("spa", "deu"), **RULES)] == ["deu", "spa"]
    assert joint_posterior(ctc, label, ("spa",), **RULES) == {"spa": 1.0}
    assert joint_posterior(ctc, label, ("fra",), **RULES) == {}


def test_a_judge_who_knows_all_languages_asked_for_chooses_among_them_others_may_hear_none():
    ctc, label = logs(eng=0.99, deu=0.009, gla=0.001), logs(eng=0.98, deu=0.01, spa=0.01)
    among = joint_posterior(ctc, label, ("gla", "deu"), **RULES)
    assert among["deu"] > 0.9
    unsure = joint_posterior(ctc, label, ("gla", "spa"), **RULES)  # none is heard by the judge who knows it
    assert unsure == pytest.approx({"gla": 0.5, "spa": 0.5}, abs=0.2)
