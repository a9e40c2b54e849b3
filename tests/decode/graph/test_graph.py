"""`GraphDecoder`: the best of all texts that its graph allows, as trying them one by one finds it."""

import itertools
import math
import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from speech.decode.ctc.frames import CtcFrames
from speech.decode.ctc.greedy import greedy
from speech.decode.graph.graph import GraphDecoder, grammar_graph, lexicon_graph, read_arpa
from speech.decode.words.alignment import align
from speech.errors import ConfigError, ModelError, SpeechError
from speech.text.tokenizers.sentencepiece import Tokenizer

VOCABULARY = 5  # blank and four tokens
SPELLING = st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=3).map(tuple)
ARPA = r"""
\data\
ngram 1=6
ngram 2=4
ngram 3=1

\1-grams:
-99	<s>	-0.3
-0.9	</s>
-0.7	a	-0.4
-0.8	bb	-0.2
-1.1	c
-1.2	<unk>

\2-grams:
-0.2	<s> a	-0.1
-0.3	a bb	-0.25
-0.6	bb </s>
-0.5	a </s>

\3-grams:
-0.1	<s> a bb

\end\
"""
needs_kaldi = pytest.mark.skipif(find_spec("kaldifst") is None, reason="needs the extra graph")
SPELLINGS = {"a": (1,), "bb": (2, 1, 2), "c": (2, 1, 1)}


@pytest.fixture(scope="module")
def letters() -> Tokenizer:
    texts = ["the cat sat on the mat", "a dog ran over the street"] * 5
    return Tokenizer.train(texts, vocab_size=60, languages=["eng"], st_targets=[], characters=True)


@pytest.fixture
def arpa(tmp_path):
    path = tmp_path / "words.arpa"
    path.write_text(ARPA)
    return path


def frames_of(log_probs: torch.Tensor) -> CtcFrames:
    return CtcFrames(log_probs[None], torch.tensor([len(log_probs)]), 0.02)


def noise(seed: int, length: int, vocabulary: int = VOCABULARY) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.log_softmax(2 * torch.randn(length, vocabulary, generator=generator), dim=-1)


def said(ids: list[int], vocabulary: int, seed: int = 0, certain: float = 6.0) -> torch.Tensor:
    """Frames (T, vocabulary) that say tokens, each for two frames, with a blank behind."""
    path = [token for spoken in ids for token in (spoken, spoken, 0)]
    noise = torch.randn(len(path), vocabulary, generator=torch.Generator().manual_seed(seed))
    return torch.log_softmax(certain * torch.nn.functional.one_hot(torch.tensor(path), vocabulary) + noise, dim=-1)


def score(log_probs: torch.Tensor, ids: tuple[int, ...]) -> float:
    try:
        return align(log_probs, ids).score
    except SpeechError:  # more tokens than frames
        return -math.inf


def decoded(decoder: GraphDecoder, log_probs: torch.Tensor, **options) -> tuple[int, ...]:
    return tuple(span.id for span in decoder(frames_of(log_probs), **options)[0])


def sequences(words, longest: int):
    for count in range(longest + 1):
        yield from itertools.product(words, repeat=count)


@needs_kaldi
@settings(max_examples=60)
@given(st.lists(SPELLING, min_size=1, max_size=4, unique=True), st.integers(0, 10_000), st.integers(1, 4))
@example([(1,), (1, 2), (1, 2, 3), (1, 2, 4)], 0, 4)
def test_a_closed_vocabulary_says_the_best_of_all_sequences_of_its_words(words, seed, length):
    log_probs = noise(seed, length)
    texts = {tuple(itertools.chain(*sequence)) for sequence in sequences(words, length)}
    found = decoded(GraphDecoder.from_graph(lexicon_graph(words), beam=1e4), log_probs)
    assert found in texts
    assert score(log_probs, found) == pytest.approx(max(score(log_probs, text) for text in texts), abs=1e-4)


@needs_kaldi
@settings(max_examples=60)
@given(st.lists(SPELLING, min_size=1, max_size=3, unique=True), st.integers(0, 10_000), st.integers(1, 4))
def test_a_phrase_list_says_the_best_phrase_or_nothing(words, seed, length):
    log_probs = noise(seed, length)
    found = decoded(GraphDecoder.from_graph(lexicon_graph(words, repeated=False), beam=1e4), log_probs)
    assert found in {(), *words}
    assert score(log_probs, found) == pytest.approx(max(score(log_probs, text) for text in [(), *words]), abs=1e-4)


def cost(ngrams, words, first=("<s>",), order: int = 3) -> float:
    """Natural log-probability of words, each over the n-gram or any shorter one, whichever is likelier."""
    likeliest = {first: 0.0}
    for word in [*words, "</s>"]:
        following: dict[tuple[str, ...], float] = {}
        for start, before in likeliest.items():
            history, so_far = start, before
            while True:
                if (*history, word) in ngrams:
                    after = (*history, word)[1 - order :]
                    following[after] = max(following.get(after, -math.inf), so_far + ngrams[*history, word][0])
                if not history:
                    break
                so_far += ngrams.get(history, (0.0, 0.0))[1]
                history = history[1:]
        likeliest = following
    return max(likeliest.values())


@needs_kaldi
@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.5, 1.0, 2.0]))
def test_an_ngram_model_weighs_texts_beside_the_audio(tmp_path_factory, seed, length, scale):
    path = tmp_path_factory.mktemp("arpa") / "words.arpa"
    path.write_text(ARPA)
    ngrams = read_arpa(path)
    decoder = GraphDecoder.from_graph(grammar_graph(ngrams, SPELLINGS.get), acoustic_scale=scale, beam=1e4)
    log_probs = noise(seed, length, 3)
    totals = {
        tuple(token for word in words for token in SPELLINGS[word]):
            scale * score(log_probs, tuple(token for word in words for token in SPELLINGS[word])) + cost(ngrams, words)
        for words in sequences(SPELLINGS, length)
    }  # fmt: skip
    assert totals[decoded(decoder, log_probs)] == pytest.approx(max(totals.values()), abs=1e-4)


def test_ngrams_are_read_in_natural_logarithms(arpa):
    ngrams = read_arpa(arpa)
    assert len(ngrams) == 11
    assert ngrams["<s>", "a"] == pytest.approx((-0.2 * math.log(10), -0.1 * math.log(10)))
    assert ngrams["<s>", "a", "bb"] == pytest.approx((-0.1 * math.log(10), 0.0))


@needs_kaldi
@pytest.mark.parametrize("words", [2, 400])
def test_the_same_word_is_said_again_only_after_a_blank(words):
    graph = lexicon_graph([])
    graph.spell(0, [((token,), -5.0, 0) for token in range(1, words + 1)])  # so that many words are better than few
    decoder = GraphDecoder.from_graph(graph)
    log_probs = torch.full((3, words + 1), -30.0)
    log_probs[:, 1] = 0.0
    assert decoded(decoder, log_probs[:2]) == (1,)
    log_probs[1, 2] = -1.5
    assert decoded(decoder, log_probs[:2]) == (1, 2)
    log_probs[1, :3] = torch.tensor([-1.0, 0.0, -30.0])
    assert decoded(decoder, log_probs) == (1, 1)


@needs_kaldi
def test_where_every_token_is_a_word_it_is_the_greedy_text():
    decoder = GraphDecoder.from_graph(lexicon_graph((token,) for token in range(1, 400)), beam=1e4)
    assert sum(map(decoder.graph.num_arcs, range(decoder.graph.num_states))) < 400**2 / 5
    for seed in range(10):
        log_probs = noise(seed, 40, 400)
        log_probs[:, [0, 7, 300]] += 8.0  # so that tokens often follow themselves
        frames = frames_of(log_probs.log_softmax(dim=-1))
        assert [span.id for span in decoder(frames)[0]] == [span.id for span in greedy(frames)[0]]


@needs_kaldi
def test_words_that_were_said_are_found_with_their_times(letters):
    ids = letters.encode("the cat ran")
    decoder = GraphDecoder.from_lexicon(letters, ["The", "cat!", "rat", "ran", "the"])
    log_probs = said(ids, len(letters.vocabulary))
    spans = decoder(frames_of(log_probs))[0]
    assert [span.id for span in spans] == ids
    assert [(span.start_frame, span.end_frame) for span in spans] == [(3 * n, 3 * n + 2) for n in range(len(ids))]


@needs_kaldi
def test_words_that_are_not_in_the_vocabulary_become_ones_that_are(letters):
    log_probs = said(letters.encode("the cat ran"), len(letters.vocabulary))
    found = decoded(GraphDecoder.from_lexicon(letters, ["the", "rat", "ran"]), log_probs)
    assert letters.decode(found) == "the rat ran"


@needs_kaldi
def test_of_phrases_one_is_said(letters):
    log_probs = said(letters.encode("the cat ran over"), len(letters.vocabulary))
    decoder = GraphDecoder.from_phrases(letters, ["the cat ran", "the cat", "over", "the dog ran over"])
    assert letters.decode(decoded(decoder, log_probs)) == "the dog ran over"


@needs_kaldi
def test_an_arpa_file_decides_between_words_that_sound_alike(letters, tmp_path):
    entries = ["-99 <s>", "-1 </s>", "-1 THE", "-1 cat", "-1 mat", "-1 <unk>", "-1 γάτα"]
    likely = "\\1-grams:\n" + "\n".join(entries) + "\n\\2-grams:\n-0.01 THE mat\n\\end\\\n"
    path = tmp_path / "words.arpa"
    path.write_text(likely)
    vocabulary = len(letters.vocabulary)
    log_probs = said(letters.encode("the cat"), vocabulary)
    c, m = (letters.encode(letter)[-1] for letter in "cm")
    log_probs[[15, 16], m] = log_probs[[15, 16], c] - 0.5
    assert letters.decode(decoded(GraphDecoder.from_lexicon(letters, ["the", "cat", "mat"]), log_probs)) == "the cat"
    assert letters.decode(decoded(GraphDecoder.from_arpa(letters, path), log_probs)) == "the mat"
    assert letters.decode(decoded(GraphDecoder.from_arpa(letters, path, acoustic_scale=9.0), log_probs)) == "the cat"


@needs_kaldi
def test_a_text_ends_with_a_word_even_where_the_beam_kept_none(letters):
    log_probs = said(letters.encode("the ca"), len(letters.vocabulary))
    narrow = GraphDecoder.from_lexicon(letters, ["the", "cats"], beam=0.5, max_active=2)
    assert decoded(narrow, log_probs) == decoded(replace(narrow, beam=1e4, max_active=10**6), log_probs)
    assert letters.decode(decoded(narrow, log_probs)) == "the cats"


@needs_kaldi
@pytest.mark.parametrize("blank", [0, 3])
def test_forbidden_tokens_are_not_said(blank):
    decoder = GraphDecoder.from_graph(lexicon_graph([(1, 2), (2,), (4,)]))
    for seed in range(20):
        assert not {2} & set(decoded(decoder, noise(seed, 6), forbidden=[2], blank=blank))
        assert decoded(decoder, noise(seed, 6), forbidden=[1, 2, 4], blank=blank) == ()


@needs_kaldi
def test_a_row_does_not_depend_on_its_batch_mates_and_none_are_no_tokens(letters):
    decoder = GraphDecoder.from_lexicon(letters, ["the", "cat"])
    log_probs = torch.stack([noise(seed, 12, len(letters.vocabulary)) for seed in range(3)])
    frames = CtcFrames(log_probs, torch.tensor([12, 7, 0]), 0.02)
    together = decoder(frames)
    assert together == [decoder(frames_of(frames.select(row)))[0] for row in range(3)]
    assert together[2] == []


@needs_kaldi
def test_what_cannot_be_written_or_searched_is_refused(letters):
    with pytest.raises(ConfigError, match="γάτα"):
        GraphDecoder.from_lexicon(letters, ["cat", "γάτα"])
    with pytest.raises(ConfigError, match="no letters"):
        GraphDecoder.from_lexicon(letters, ["?"])
    with pytest.raises(ConfigError, match="no words"):
        GraphDecoder.from_lexicon(letters, [])
    with pytest.raises(ConfigError, match="max_active 1"):
        GraphDecoder.from_lexicon(letters, ["cat"], max_active=1)
    decoder = GraphDecoder.from_lexicon(letters, ["cat"])
    with pytest.raises(ConfigError, match="vocabulary of 5"):
        decoder(frames_of(noise(0, 3)))


@pytest.mark.parametrize(
    ("text", "message"),
    [("a text\n", "no line"), ("\\1-grams:\n-1 a\n", "no line"), ("\\2-grams:\n-1 a\n\\end\\", ":2: '-1 a', expected"),
     ("\\1-grams:\nx a\n\\end\\", ":2: 'x a', expected"), ("\\1-grams:\nnan a\n\\end\\", ":2: 'nan a', expected")],
)  # fmt: skip
def test_a_file_that_is_no_arpa_file_is_named_with_its_line(tmp_path, text, message):
    path = tmp_path / "words.arpa"
    path.write_text(text)
    with pytest.raises(ModelError) as error:
        read_arpa(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"none\.arpa"):
        read_arpa(tmp_path / "none.arpa")


@pytest.mark.parametrize("package", ["kaldifst", "kaldi_decoder"])
def test_missing_packages_are_named_with_the_command_that_installs_them(letters, arpa, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    for build in (lambda: GraphDecoder.from_lexicon(letters, ["cat"]), lambda: GraphDecoder.from_arpa(letters, arpa)):
        with pytest.raises(ModelError, match=r"needs kaldifst and kaldi-decoder.*pip install '[\w-]+\[graph\]'"):
            build()


def test_a_context_without_backoff_is_not_left():
    spellings = {"a": (1, 2, 3), "b": (1, 2, 4), "c": (5,)}
    ngrams = {("a",): (-1.0, -math.inf), ("b",): (-2.0, -0.5), ("</s>",): (-1.0, 0.0), ("a", "c"): (-0.1, 0.0)}
    graph = grammar_graph(ngrams, spellings.get)
    costs = [cost for arcs in graph.arcs for _, cost, _ in arcs] + list(graph.final.values())
    assert all(math.isfinite(cost) for cost in costs)


@needs_kaldi
def test_where_nothing_can_be_said_nothing_is_said(letters):
    log_probs = torch.full((3, len(letters.vocabulary)), -math.inf)
    assert decoded(GraphDecoder.from_lexicon(letters, ["cat"]), log_probs) == ()
