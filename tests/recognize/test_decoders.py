"""Which decoder is opened, and what does not go together."""

import pytest

from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.greedy import greedy
from speech.decode.graph.graph import GraphDecoder
from speech.decode.lm.lexicon import Lexicon
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import ConfigError, FileError
from speech.recognize.decoders import check_search, open_decoder


@pytest.mark.parametrize(
    ("beam", "language_model", "graph", "said"),
    [
        (2, None, "words.txt", "a graph takes the place"),
        (None, "lm.safetensors", "words.txt", "a graph takes the place"),
        (0, None, None, "beam 0"),
        (1, "lm.safetensors", None, "beam 1"),
    ],
)
def test_what_does_not_go_together_is_refused(beam, language_model, graph, said):
    with pytest.raises(ConfigError, match=said):
        check_search(beam, language_model, graph)


@pytest.mark.parametrize(("beam", "language_model", "graph"), [(None, "a", None), (2, "a", None), (1, None, None)])
def test_what_goes_together_is_not(beam, language_model, graph):
    check_search(beam, language_model, graph)


def test_without_a_language_model_the_best_token_of_each_frame_is_taken(tokenizer, tmp_path):
    assert open_decoder(tmp_path, tokenizer) is greedy
    assert open_decoder(tmp_path, tokenizer, beam=1) is greedy
    found = open_decoder(tmp_path, tokenizer, beam=3)
    assert isinstance(found, BeamDecoder)
    assert found.beam == 3


def test_a_language_model_beside_the_model_brings_its_words_and_a_beam(tokenizer, tmp_path):
    ngram = TokenNgram.train([([EDGE, *tokenizer.encode("the cat sat"), EDGE], 1.0)], order=2)
    ngram.weight, ngram.bonus = 0.7, 0.2
    ngram.save(tmp_path / "lm.safetensors")
    alone = open_decoder(tmp_path, tokenizer)
    assert (alone.beam, alone.weight, alone.bonus, alone.lexicon) == (8, 0.7, 0.2, None)
    Lexicon.train({"eng": {"the": 0.05}}).save(tmp_path / "lexicon.safetensors")
    assert open_decoder(tmp_path, tokenizer).lexicon is not None
    named = open_decoder(tmp_path, tokenizer, language_model=tmp_path / "lm.safetensors", beam=2)
    assert (named.beam, named.lexicon) == (2, None)
    assert open_decoder(tmp_path, tokenizer, beam=1) is greedy


def test_a_graph_is_of_words_and_must_be_there(tokenizer, tmp_path):
    (tmp_path / "words.txt").write_text("cat\n\ndog\n")
    assert isinstance(open_decoder(tmp_path, tokenizer, graph=tmp_path / "words.txt"), GraphDecoder)
    with pytest.raises(FileError, match=r"none\.txt"):
        open_decoder(tmp_path, tokenizer, graph=tmp_path / "none.txt")
