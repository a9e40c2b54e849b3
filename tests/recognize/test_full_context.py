"""What users ask for, as prefix and as tokens that cannot be said."""

import pytest
import torch

from speech.decode.ctc.greedy import TokenSpan
from speech.errors import ConfigError, LanguageError
from speech.recognize.full_context import FullContextPass
from speech.recognize.request import Request
from speech.recognize.spoken_languages import written_in


@pytest.fixture(scope="module")
def second_pass(model, tokenizer) -> FullContextPass:
    return FullContextPass(model, tokenizer)


def test_a_request_is_parsed_from_names():
    assert Request.parse("auto") == Request()
    assert Request.parse("en, German", "es") == Request(("eng", "deu"), "spa")
    with pytest.raises(LanguageError, match="Klingon"):
        Request.parse("en,Klingon")


def test_one_language_is_told_to_the_model_several_are_not(tokenizer):
    vocabulary = tokenizer.vocabulary
    asr = vocabulary.task_id("asr")
    assert Request(("deu",)).prefix(vocabulary) == (vocabulary.language_id("deu"), asr)
    assert Request(("deu", "eng")).prefix(vocabulary) == (vocabulary.nolang, asr)
    with pytest.raises(LanguageError):
        Request(("fra",)).prefix(vocabulary)


def test_only_scripts_of_the_languages_can_be_said(second_pass, tokenizer):
    special = {t for t in range(1, len(tokenizer.vocabulary)) if tokenizer.vocabulary.is_special(t)}
    assert second_pass.decoder.tokens.forbidden(Request().written) == special
    assert second_pass.decoder.tokens.forbidden(Request(("eng", "deu")).written) == special
    latin = {t for t in range(len(tokenizer.vocabulary)) if tokenizer.vocabulary.tokens[t].strip("\u2581").isalpha()}
    assert latin <= second_pass.decoder.tokens.forbidden(Request(("rus",)).written)


def test_a_model_that_says_the_language_first_tells_it_and_leaves_special_tokens_out(published, tokenizer, speech):
    vocabulary = tokenizer.vocabulary
    second_pass = FullContextPass(published, tokenizer)
    assert second_pass.decoder.tokens.forbidden(Request().written) == frozenset()
    x, evidence = second_pass.encode([speech[:50_000]], [Request()]).select(0)
    prefix = torch.tensor([[vocabulary.nolang, vocabulary.task_id("asr")]])
    samples = torch.from_numpy(speech[:50_000])[None]
    with torch.inference_mode():
        said = published(*published.features(samples, torch.tensor([50_000])), prefix).log_probs
    torch.testing.assert_close(second_pass.decoder.log_probs(x), said[0, 2:])
    languages = said[0, :4, list(vocabulary.language_ids)]
    best = languages[languages.logsumexp(-1).argmax()]
    assert torch.allclose(evidence[7], best.log_softmax(-1))
    code, probability = second_pass.language(evidence.sum(0), len(evidence), Request())
    assert code == vocabulary.languages[int(best.argmax())]
    assert probability == pytest.approx(float(best.softmax(-1).max()), abs=1e-5)
    special = [TokenSpan(vocabulary.language_id("deu"), 0, 1, 0.9), TokenSpan(vocabulary.piece_start, 3, 4, 0.8)]
    assert [second_pass.decoder.says(span) for span in special] == [False, True]


def test_the_language_is_one_of_those_asked_for(second_pass, tokenizer):
    codes = tokenizer.vocabulary.languages
    evidence = torch.log(torch.tensor([0.1, 0.2, 0.7])) * 10
    assert second_pass.language(evidence, 10, Request())[0] == codes[2]
    assert second_pass.language(evidence, 10, Request(codes[:2]))[0] == codes[1]
    assert second_pass.language(evidence, 10, Request(codes[:1])) == (codes[0], 1.0)
    with pytest.raises(LanguageError):
        second_pass.language(None, 10, Request())


def test_words_are_looked_for_in_the_languages_that_may_be_spoken(second_pass, tokenizer):
    codes = tokenizer.vocabulary.languages
    sure = torch.log(torch.tensor([0.01, 0.01, 0.98])).expand(7, -1)
    torn = torch.log(torch.tensor([0.45, 0.45, 0.1 - 1e-3])).expand(7, -1)
    assert written_in(sure, Request(), codes) == (codes[2],)
    assert written_in(torn, Request(), codes) == codes[:2]
    assert written_in(sure, Request(codes[:2]), codes) == codes[:2]  # of those allowed both are as likely
    assert written_in(sure, Request(codes[:1]), codes) == codes[:1]
    assert written_in(sure, Request(codes[:1], codes[1]), codes) == (codes[1],)
    assert written_in(None, Request(), codes) == ()


def test_likely_texts_are_counted_from_one_to_ten():
    assert Request.parse("auto", nbest=10, plain=True) == Request(nbest=10, plain=True)
    for count in (0, 11):
        with pytest.raises(ConfigError, match=f"{count} likely texts"):
            Request.parse("auto", nbest=count)
