"""Models that write fewer tokens say of these what they said before."""

import numpy as np
import pytest
import torch

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.errors import ConfigError, ModelError
from speech.models.checkpoint import Checkpoint, Storage, load_checkpoint, save_checkpoint
from speech.models.hub import EMBEDDED, locate
from speech.models.owsm_ctc import OwsmCtc
from speech.models.precision import Precision, with_precision
from speech.models.trimming import trim
from speech.nn.cpu.int8 import int8_runs
from speech.text.tokenizers.sentencepiece import Tokenizer
from tests.conftest import CORPUS, TEXTS, small_whisper
from tests.ctc_half import ctc_half

AUDIO = CORPUS / "asterisk_core_sounds" / "audio"
CLIPS = [("eng", "ast_en_priv-callpending.ogg"), ("fra", "ast_fr_priv-callpending.ogg")]
ALPHABET = ["abcdefghijklmnopqrstuvwxyz 'éèàçù", "the caller is waiting", "un appel en attente"]


@pytest.fixture(scope="module")
def whole() -> Checkpoint:
    return load_checkpoint(locate(EMBEDDED))


@pytest.fixture(scope="module")
def trimmed(whole):
    return trim(whole, ALPHABET)


def logits(model: OwsmCtc, path) -> torch.Tensor:
    samples = torch.from_numpy(load_audio(path))[None]
    features, lengths = model.features(samples, torch.tensor([samples.shape[1]]))
    prefix = torch.tensor([[model.vocabulary.nolang, model.vocabulary.task_id("asr")]])
    with torch.inference_mode():
        return torch.cat(list(model.ctc.tiles(model.encode(features, lengths, prefix).x)))


def ids_of(whole: Tokenizer, trimmed: Tokenizer) -> torch.Tensor:
    return torch.tensor([whole.vocabulary.index[token] for token in trimmed.vocabulary.tokens])


@pytest.mark.parametrize("precision", [Precision.float32, Precision.int8])
def test_kept_tokens_have_the_same_logits_to_the_last_bit(whole, trimmed, precision):
    if precision == Precision.int8 and not int8_runs():
        pytest.skip("no kernels")
    kept = ids_of(whole.tokenizer, trimmed.checkpoint.tokenizer)
    models = [whole.model, trimmed.checkpoint.model]
    if precision == Precision.int8:
        models = [with_precision(model, precision) for model in models]
    for code, name in CLIPS:
        before, after = (logits(model, AUDIO / code / name) for model in models)
        assert torch.equal(after, before[:, kept])


def test_it_says_what_is_left(whole, trimmed):
    tokens = len(trimmed.checkpoint.tokenizer.vocabulary)
    dim = whole.model.config.encoder.dim
    assert trimmed.tokens == (len(whole.tokenizer.vocabulary), tokens)
    assert tokens % 16 == 0
    assert tokens < 128
    assert trimmed.written == (1746 * (dim + 1), tokens * (dim + 1))
    assert trimmed.parameters[1] - trimmed.parameters[0] == tokens * (dim + 1)  # the whole head stays inside
    assert trimmed.size == tuple(4 * count for count in trimmed.parameters)


@pytest.mark.parametrize("precision", [Precision.float32, Precision.int8])
def test_saved_and_loaded_it_transcribes_as_the_whole_one_does(whole, trimmed, tmp_path, precision):
    if precision == Precision.int8 and not int8_runs():
        pytest.skip("no kernels")
    found = trimmed.checkpoint
    save_checkpoint(tmp_path / "small", found.model, found.tokenizer, info=found.info, card="", storage=Storage.int8)
    small = Recognizer.from_pretrained(str(tmp_path / "small"), precision=precision)
    assert small.model.config.inner_tokens == 1746
    large = Recognizer.from_pretrained(ctc_half(), precision=precision, beam=1)
    kept = set(found.tokenizer.vocabulary.tokens)
    for code, name in CLIPS:
        expected = large.transcribe(AUDIO / code / name, language=code)
        assert set(expected.text) - {" "} <= kept
        assert small.transcribe(AUDIO / code / name, language=code).text == expected.text


def test_a_model_without_conditioning_becomes_as_much_smaller_as_its_vocabulary(tmp_path):
    tokenizer = Tokenizer.train(TEXTS, vocab_size=60, languages=["eng", "deu"], characters=False)
    config = small_whisper()
    config.inter_layers, config.inter_transcript = [], 0
    torch.manual_seed(2)
    model = OwsmCtc(config, tokenizer.vocabulary).eval()
    found = trim(Checkpoint(model, tokenizer, {"note": "x"}), ["el gato duerme", "a dog ran"])
    gone = found.tokens[0] - found.tokens[1]
    assert gone > 0
    assert found.parameters[0] - found.parameters[1] == gone * 33
    smaller = found.checkpoint
    assert smaller.info == {"note": "x", "trimmed_from": found.tokens[0]}
    assert smaller.tokenizer.decode(smaller.tokenizer.encode("el gato ran")) == "el gato ran"
    x = torch.randn(1, 33, 32)
    kept = ids_of(tokenizer, smaller.tokenizer)
    whole_tiles = kept < len(tokenizer.vocabulary) // 16 * 16
    assert torch.equal(smaller.model.ctc.linear(x)[..., whole_tiles], model.ctc.linear(x)[..., kept[whole_tiles]])
    torch.testing.assert_close(smaller.model.ctc.linear(x), model.ctc.linear(x)[..., kept])
    save_checkpoint(tmp_path / "small", smaller.model, smaller.tokenizer, info=smaller.info, card="")
    again = load_checkpoint(tmp_path / "small")
    assert again.tokenizer.vocabulary == smaller.tokenizer.vocabulary
    assert torch.equal(again.model.ctc.linear.weight, smaller.model.ctc.linear.weight)


def test_prompts_of_kept_tokens_are_heard_as_before(published, tokenizer):
    found = trim(Checkpoint(published, tokenizer, {}), ["the cat"]).checkpoint
    kept = ids_of(tokenizer, found.tokenizer).tolist()
    features, lengths = torch.randn(1, 90, 80), torch.tensor([90])
    prompt = found.tokenizer.encode("the cat")
    with torch.inference_mode():
        given = torch.tensor([[found.tokenizer.vocabulary.nolang, found.tokenizer.vocabulary.task_id("asr")]])
        after = found.model.encode(features, lengths, given, prompt=[prompt]).x
        before = published.encode(features, lengths, given, prompt=[[kept[token] for token in prompt]]).x
    assert torch.equal(after, before)


def test_as_stored_weights_are_read(trimmed):
    stored = load_checkpoint(locate(EMBEDDED), as_stored=True)
    found = trim(stored, ALPHABET).checkpoint
    assert torch.equal(found.model.ctc.linear.weight, trimmed.checkpoint.model.ctc.linear.weight)
    assert found.model.ctc.linear.weight.dtype == torch.float32


def test_nothing_to_keep_and_trimming_twice_are_refused(whole, trimmed):
    with pytest.raises(ConfigError, match="nothing that the model writes"):
        trim(whole, ["", " "])
    with pytest.raises(ConfigError, match="already"):
        trim(trimmed.checkpoint, ["a"])


def test_a_tokenizer_that_is_no_list_of_pieces_is_refused(model, tokenizer):
    odd = Tokenizer(tokenizer.model, tokenizer.vocabulary)
    odd.model = np.uint8([8, 1]).tobytes()
    with pytest.raises(ModelError, match="kind 0"):
        trim(Checkpoint(model, odd, {}), ["the cat"])
