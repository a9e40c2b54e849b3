"""Figures of each language and of each pair."""

import numpy as np
import pytest

from speech.metrics.bootstrap import Figure
from speech.metrics.groups import Group, group_dicts, group_name, group_rates, groups_of
from speech.metrics.systems import score_system, with_figures
from speech.metrics.utterance import Pairing, score_utterance

PAIRINGS = [
    Pairing("guten morgen zusammen", "guten abend zusammen", ("deu",), "u1"),
    Pairing("我们 meeting 吧", "我们 miting 吧", ("cmn", "eng"), "u2"),
    Pairing("das ist gut", "das ist gut", ("deu",), "u3"),
]


@pytest.mark.parametrize(
    ("languages", "text", "name"),
    [(("deu",), "x", "deu"), (("cmn", "eng"), "x", "cmn-eng"), ((), "hello 去", "Hani-Latn"), ((), "12", "und")],
)
def test_a_group_is_named_by_languages_or_else_by_scripts(languages, text, name):
    assert group_name(Pairing(text, "", languages)) == name


def test_a_group_has_a_title_in_words():
    assert [Group(name, ()).title for name in ("deu", "cmn-eng", "Latn")] == [
        "German",
        "Mandarin, English",
        "Latn",
    ]


def test_groups_are_sorted_by_size_and_their_rates_are_sums():
    system = score_system("ours", [score_utterance(one) for one in PAIRINGS])
    german, pair = groups_of(map(group_name, PAIRINGS))
    assert (german.name, german.places, pair.name, pair.places) == ("deu", (0, 2), "cmn-eng", (1,))
    assert group_rates(system, german)["mer"] == pytest.approx(1 / 6)
    assert "pier" not in group_rates(system, german)
    assert group_rates(system, pair)["pier"] == 1.0
    assert group_rates(system, pair)["language_error"] == 0.0


def test_a_figure_that_no_utterance_of_a_group_has_is_left_out():
    figure = Figure(
        np.array([[2.0, 1.0], [0.0, 0.0], [4.0, 1.0]]), lambda sums: sums[0] / max(sums[1], 1), (2.0, None, 4.0)
    )
    system = with_figures(score_system("a", [score_utterance(one) for one in PAIRINGS]), {"al": figure})
    german, pair = groups_of(map(group_name, PAIRINGS))
    assert group_rates(system, german)["al"] == 3.0
    assert "al" not in group_rates(system, pair)
    first, _ = group_dicts([german, pair], [system])
    assert first["name"] == "deu"
    assert first["utterances"] == 2
    assert first["rates"]["a"]["wer"] == pytest.approx(1 / 6, abs=1e-6)
