"""Which decoder writes what, and what none may say."""

import pytest
import torch

from speech.decode.beam import BeamDecoder
from speech.decode.greedy import greedy
from speech.decode.phrases import Phrase
from speech.decode.token_ngram import TokenNgram
from speech.errors import ConfigError
from speech.stream.new_tokens import Extension
from speech.stream.writing import Writing

GREEK = ("α", "β", "ж")


@pytest.fixture(scope="module")
def extension(tokenizer) -> Extension:
    size = len(tokenizer.vocabulary)
    ids = tuple(range(size + 7, size + 7 + len(GREEK)))
    return Extension(tokenizer.extended(GREEK), ids, torch.zeros(len(GREEK), 32), torch.zeros(len(GREEK)))


def writing(tokenizer, decode=greedy) -> Writing:
    return Writing(tokenizer, decode, says_specials=False)


def test_without_new_tokens_everything_is_written_as_the_recogniser_was_told(tokenizer):
    search = BeamDecoder(beam=4)
    for decode in (greedy, search):
        assert writing(tokenizer, decode).decoder(()) is decode


def test_language_models_stay_out_where_new_tokens_are_written(tokenizer, extension):
    model = TokenNgram.train([(tokenizer.encode("the cat sat"), 1.0)], order=2)
    search = BeamDecoder(beam=5, scorer=model, weight=0.3)
    assert writing(tokenizer, search).decoder((), extension) == BeamDecoder(beam=5, weight=0.3)
    assert writing(tokenizer).decoder((), extension) is greedy


def test_phrases_take_a_search_and_the_letters_that_there_are(tokenizer, extension):
    plain, phrases = writing(tokenizer), (Phrase("αβ"), Phrase("cat"))
    plain.check(phrases, extension)
    with pytest.raises(ConfigError, match=r"does not write: \['α', 'β'\]"):
        plain.check(phrases)
    assert plain.decoder(phrases, extension) is plain.decoder(phrases, extension)
    assert isinstance(plain.decoder(phrases), BeamDecoder)  # of those that can be written
    assert plain.decoder(phrases[:1]) is greedy


def test_other_decoders_prefer_no_phrases_and_write_no_new_tokens(tokenizer, extension):
    def other(frames, *, forbidden=(), languages=()):
        return []

    own = writing(tokenizer, other)
    assert not own.extends
    assert writing(tokenizer).extends
    assert writing(tokenizer, BeamDecoder()).extends
    with pytest.raises(ConfigError, match="Decode with a beam"):
        own.check((Phrase("cat"),))


def test_scripts_of_others_cannot_be_said_be_they_new_or_not(tokenizer, extension):
    size, own = len(tokenizer.vocabulary), writing(tokenizer)
    special = {token for token in range(1, size) if tokenizer.vocabulary.is_special(token)}
    assert own.forbidden(()) == own.forbidden((), extension) == special
    greek = own.forbidden(("ell",), extension)
    assert greek == own.forbidden(("ell",)) | {size + 2}
    assert own.forbidden(("eng",), extension) == special | {size, size + 1, size + 2}
    assert Writing(tokenizer, greedy, says_specials=True).forbidden(()) == frozenset()
