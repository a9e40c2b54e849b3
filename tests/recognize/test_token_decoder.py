"""Which decoder writes what, and what none may say."""

import gc
import itertools
import random
import tracemalloc

import pytest
import torch

from speech.decode.bias.phrases import Phrase, Phrases
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.greedy import greedy
from speech.decode.lm.ngram import TokenNgram
from speech.errors import ConfigError
from speech.recognize.adapter_tokens import Extension
from speech.recognize.token_decoder import CompiledPhrases, TokenDecoder

GREEK = ("α", "β", "ж")


@pytest.fixture(scope="module")
def extension(tokenizer) -> Extension:
    size = len(tokenizer.vocabulary)
    ids = tuple(range(size + 7, size + 7 + len(GREEK)))
    return Extension(tokenizer.extended(GREEK), ids, torch.zeros(len(GREEK), 32), torch.zeros(len(GREEK)))


def writing(tokenizer, decode=greedy) -> TokenDecoder:
    return TokenDecoder(tokenizer, decode, says_specials=False)


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
    assert plain.decoder(phrases, extension).phrases is plain.decoder(phrases, extension).phrases
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
    assert TokenDecoder(tokenizer, greedy, says_specials=True).forbidden(()) == frozenset()


def test_phrases_are_compiled_once_whatever_their_order(tokenizer):
    own, phrases = writing(tokenizer), (Phrase("cat"), Phrase("dog", 2.0), Phrase("a mat"))
    kept = own.check(phrases)
    for order in itertools.permutations((*phrases, phrases[0])):
        assert own.check(order) is kept
        assert own.decoder(order).phrases is kept
    assert own.decoder((Phrase("cat"), Phrase("dog"), Phrase("a mat"))).phrases is not kept


def test_compiled_phrases_are_kept_while_they_fit_and_found_while_somebody_holds_them(tokenizer):
    def of(number: int) -> Phrases:
        return Phrases(tokenizer, [Phrase("a cat", 1.0 + number)])

    size = of(0).nbytes
    compiled, held = CompiledPhrases(4 * size), of(0)
    assert compiled.get(0, lambda: held) is held
    for number in range(1, 100):
        compiled.get(number, lambda: of(number))  # noqa: B023
        assert compiled.nbytes <= 4 * size
    assert compiled.get(0, lambda: of(0)) is held
    last = compiled.get(99, lambda: of(-1))
    assert last is compiled.get(99, lambda: of(-1))
    del last
    gc.collect()
    assert len(compiled._alive) <= 4


def test_compiled_phrases_take_the_memory_that_they_say(tokenizer):
    rng = random.Random(0)
    phrases = [Phrase(" ".join("".join(rng.choices("catdogmn", k=5)) for _ in range(3))) for _ in range(500)]
    Phrases(tokenizer, phrases[:1])
    gc.collect()
    tracemalloc.start()
    compiled = Phrases(tokenizer, phrases)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 1.1 * compiled.nbytes < 1.5 * taken
    assert taken < 120 * sum(len(phrase.text) for phrase in phrases)


def test_what_cannot_be_said_goes_by_scripts_and_is_remembered_for_so_many(tokenizer):
    own = writing(tokenizer)
    assert own.forbidden(("eng", "rus")) is own.forbidden(("rus", "eng")) is own.forbidden(("bul", "deu", "fra"))
    codes = ["eng", "rus", "ell", "ara", "hin", "kat", "hye", "heb", "tha", "lao"]
    for count in range(1, 6):
        for some in itertools.combinations(codes, count):
            own.forbidden(some)
    assert own._unsayable.cache_info().currsize <= 256
