"""BLEU and chrF against sacrebleu itself."""

import sys

import pytest

from speech.errors import ConfigError
from speech.metrics.bootstrap import figure_interval
from speech.metrics.translation import BLEU, CHRF, bleu_tokenizer, translation_figures

sacrebleu = pytest.importorskip("sacrebleu", reason="needs the extra `score`")

ENGLISH = ["The cat sat on the mat.", "It's raining today, isn't it?", "Nobody came to the meeting on Monday."]
HEARD = ["The cat sat on a mat.", "It is raining today, isn't it?", "Nobody came on monday"]
CHINESE = ["今天天气很好。", "我们去喝 coffee 吧！"]
HEARD_CHINESE = ["今天天气真好。", "我们去喝咖啡吧！"]
JAPANESE, HEARD_JAPANESE = ["駅はどこですか。"], ["駅はどこでしょうか。"]


@pytest.mark.parametrize(
    ("references", "hypotheses", "language", "tokenizer"),
    [(ENGLISH, HEARD, "eng", "13a"), (CHINESE, HEARD_CHINESE, "cmn", "zh"), (JAPANESE, HEARD_JAPANESE, "jpn", "char")],
)
def test_values_and_signatures_are_those_of_sacrebleu(references, hypotheses, language, tokenizer):
    found = translation_figures(references, hypotheses, [language] * len(references))
    for name, metric in ((BLEU, sacrebleu.BLEU(tokenize=tokenizer)), (CHRF, sacrebleu.CHRF())):
        wanted = metric.corpus_score(hypotheses, [references])
        assert found[name].over(range(len(references))) == pytest.approx(wanted.score, abs=1e-9)
        assert found[name].signature == f"{wanted.name}|{metric.get_signature()}"
    single = [sacrebleu.sentence_bleu(said, [wanted], tokenize=tokenizer).score
              for said, wanted in zip(hypotheses, references, strict=True)]  # fmt: skip
    assert found[BLEU].each == pytest.approx(single)


def test_what_is_equal_has_100_and_what_has_nothing_in_common_none():
    for name, figure in translation_figures(ENGLISH, ENGLISH, ["eng"] * 3).items():
        assert figure.over(range(3)) == pytest.approx(100.0), name
        assert figure.each == pytest.approx((100.0,) * 3)
    assert translation_figures(["abc def"], ["xyz"], ["eng"])[CHRF].over([0]) == 0.0
    assert translation_figures(["abc def"], [""], ["eng"])[BLEU].over([0]) == 0.0
    assert translation_figures([], [], []) == {}


def test_bleu_by_hand():
    found = translation_figures(["a b c d e"], ["a b c d x"], ["eng"])[BLEU]
    assert found.over([0]) == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25)


def test_case_and_punctuation_count():
    assert translation_figures(["Hello there, you!"], ["hello there you"], ["eng"])[BLEU].over([0]) < 100.0


def test_several_targets_are_cut_each_in_its_way_and_the_signature_says_so():
    found = translation_figures([*ENGLISH, *CHINESE], [*HEARD, *HEARD_CHINESE], ["eng"] * 3 + ["cmn"] * 2)
    assert "|tok:13a+zh|" in found[BLEU].signature
    assert found[BLEU].over([0, 1, 2]) == pytest.approx(sacrebleu.corpus_bleu(HEARD, [ENGLISH]).score)
    assert found[BLEU].over([3, 4]) == pytest.approx(
        sacrebleu.corpus_bleu(HEARD_CHINESE, [CHINESE], tokenize="zh").score
    )


def test_a_corpus_has_an_interval():
    found = figure_interval(translation_figures(ENGLISH, HEARD, ["eng"] * 3)[BLEU])
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("text", "language", "tokenizer"),
    [("x", "eng", "13a"), ("x", "kor", "13a"), ("x", "yue", "zh"), ("x", "tha", "char"), ("x", None, "13a"),
     ("駅は", None, "char")],
)  # fmt: skip
def test_the_tokenizer_follows_the_target_language(text, language, tokenizer):
    assert bleu_tokenizer(text, language) == tokenizer


def test_without_sacrebleu_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(ConfigError, match=r"sacrebleu.*pip install '[\w-]+\[score\]'"):
        translation_figures(["a"], ["a"], ["eng"])
