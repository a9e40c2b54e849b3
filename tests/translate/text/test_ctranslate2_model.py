"""Parity with CTranslate2's own interface, on tiny models of random weights in the two usual layouts."""

import json
import shutil
import sys
from pathlib import Path

import ctranslate2
import pytest
import sentencepiece

from speech.errors import ConfigError, LanguageError, ModelError, TranslatorError
from speech.translate.text.ctranslate2_model import CTranslate2Translator
from speech.translate.text.directions import Directions
from speech.translate.toxicity import ToxicWords
from tests.tiny_translators import SENTENCES, save_marian, save_multilingual, vocabulary_of

SPANISH_FRENCH = Directions(("spa",), ("fra",))


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_marian(tmp_path_factory.mktemp("marian") / "model")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_marian(tmp_path_factory.mktemp("several") / "model", targets=["fra", "ita"])


@pytest.fixture(scope="module")
def nllb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_multilingual(tmp_path_factory.mktemp("nllb") / "model")


@pytest.fixture(scope="module")
def m2m(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_multilingual(tmp_path_factory.mktemp("m2m") / "model", ["__en__", "__fr__", "__es__"])


def by_ctranslate2(folder: Path, tokenizer: str, front: list[str], prefix: list[str], drop: set[str]) -> list[str]:
    """What its documentation shows, without ours: tokens of the text with those around it, one text at a time."""
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / tokenizer))
    model = ctranslate2.Translator(str(folder), device="cpu", intra_threads=1)
    found = []
    for text in SENTENCES:
        row = [*front, *pieces.encode(text, out_type=str), "</s>"]
        target_prefix = [prefix] if prefix else None
        most = min(2 * len(row) + 50, 500)
        result = model.translate_batch([row], target_prefix=target_prefix, beam_size=2, max_decoding_length=most)
        tokens = [token for token in result[0].hypotheses[0] if token not in {*drop, "<s>", "</s>", "<unk>", "<pad>"}]
        found.append(" ".join(pieces.decode(tokens).split()))
    return found


def differ(texts: list[str]) -> bool:
    """Whether the tiny model heeds its source: most texts are different ones."""
    return len(set(texts)) > len(texts) // 2


def test_a_model_of_one_direction_writes_what_ctranslate2_writes(marian):
    wanted = by_ctranslate2(marian, "source.spm", [], [], set())
    assert differ(wanted)
    assert CTranslate2Translator(marian, SPANISH_FRENCH).translate(SENTENCES, "spa", "fra") == wanted


def test_a_model_with_tokens_of_targets_is_told_the_target(several):
    given = Directions(("spa", "eng"), ("fra", "ita"))
    translator = CTranslate2Translator(several, given)
    found = {}
    for code in given.targets:
        found[code] = translator.translate(SENTENCES, "eng", code)
        assert found[code] == by_ctranslate2(several, "source.spm", [f">>{code}<<"], [], {">>fra<<", ">>ita<<"})
    assert found["fra"] != found["ita"]


def test_a_multilingual_model_is_told_source_and_target(nllb, m2m):
    for folder, tokens in ((nllb, ("eng_Latn", "fra_Latn", "spa_Latn")), (m2m, ("__en__", "__fr__", "__es__"))):
        translator = CTranslate2Translator(folder)
        assert translator.sources == translator.targets == ("eng", "fra", "spa")
        english, french, spanish = tokens
        into_french = translator.translate(SENTENCES, "eng", "fra")
        drop = {*tokens}
        assert differ(into_french)
        assert into_french == by_ctranslate2(folder, "sentencepiece.bpe.model", [english], [french], drop)
        into_spanish = translator.translate(SENTENCES, "fra", "spa")
        assert into_spanish == by_ctranslate2(folder, "sentencepiece.bpe.model", [french], [spanish], drop)
        assert into_french != into_spanish


@pytest.mark.parametrize("layout", ["marian", "nllb"])
def test_a_text_does_not_depend_on_those_beside_it(layout, request):
    translator = CTranslate2Translator(request.getfixturevalue(layout), SPANISH_FRENCH)
    alone = [translator.translate([text], "spa", "fra")[0] for text in SENTENCES]
    assert translator.translate(SENTENCES, "spa", "fra") == alone
    assert translator.translate(SENTENCES[::-1] * 3, "spa", "fra") == alone[::-1] * 3


@pytest.mark.parametrize("layout", ["marian", "nllb", "several"])
def test_a_listed_word_is_left_out_of_what_is_written(layout, request):
    """Each word of each translation in turn; the tiny models repeat themselves, so that some texts have no other."""
    translator = CTranslate2Translator(request.getfixturevalue(layout), SPANISH_FRENCH)
    clean, asked = 0, 0
    for text in SENTENCES[:5]:
        usual = translator.translate([text], "spa", "fra")[0]
        for word in dict.fromkeys(usual.lower().split()):
            words = ToxicWords({"fra": [word]})
            assert words.matches(usual, "fra")
            asked += 1
            found = translator.translate_without(text, "spa", "fra", words)
            if found is not None:
                assert not words.matches(found, "fra")
                clean += 1
    assert clean > 0.9 * asked > 0


def test_a_text_without_listed_words_stays_and_where_all_have_some_there_is_none(marian):
    translator = CTranslate2Translator(marian, SPANISH_FRENCH)
    for text in SENTENCES:
        usual = translator.translate([text], "spa", "fra")
        assert translator.translate_without(text, "spa", "fra", ToxicWords({"fra": ["zz"], "spa": [text]})) in usual
    every = ToxicWords({"cmn": [*"abcdefghijklmnopqrstuvwxyzéàêè"]})  # any place matches
    chinese = CTranslate2Translator(marian, Directions(("spa",), ("cmn",)))
    assert chinese.translate_without(SENTENCES[0], "spa", "cmn", every) is None
    with pytest.raises(LanguageError, match="does not translate into German"):
        translator.translate_without("el perro", "spa", "deu", every)


def test_a_pair_that_is_not_offered_is_refused(nllb):
    translator = CTranslate2Translator(nllb, Directions(("eng", "spa"), ("fra",)))
    with pytest.raises(LanguageError, match=r"does not translate from French \(fra\). It translates from eng, spa"):
        translator.translate(["le chien"], "fra", "fra")
    with pytest.raises(LanguageError, match=r"does not translate into Spanish \(spa\). It translates into fra"):
        translator.translate(["the dog"], "eng", "spa")


def test_what_ctranslate2_refuses_is_an_error_of_the_translator(marian, monkeypatch):
    translator = CTranslate2Translator(marian, SPANISH_FRENCH)
    monkeypatch.setattr("speech.translate.text.ctranslate2_model._MOST_TOKENS", 10_000)
    with pytest.raises(TranslatorError, match="No position encodings"):  # the tiny model has 600
        translator.translate(["the dog " * 800], "spa", "fra")


def test_a_text_that_is_too_long_is_refused_and_not_cut(marian):
    with pytest.raises(TranslatorError, match="at most 500"):
        CTranslate2Translator(marian, SPANISH_FRENCH).translate(["the dog " * 300], "spa", "fra")


def test_languages_are_never_guessed(marian, several, nllb):
    with pytest.raises(ConfigError, match=r"does not name its languages.*model=spa:fra"):
        CTranslate2Translator(marian)
    with pytest.raises(ConfigError, match=r"spa:fra,ita"):
        CTranslate2Translator(several)
    with pytest.raises(ConfigError, match="no tokens of targets"):
        CTranslate2Translator(marian, Directions(("spa",), ("fra", "ita")))
    with pytest.raises(ConfigError, match=r"has no token for 'deu'\. It has fra, ita"):
        CTranslate2Translator(several, Directions(("spa",), ("deu",)))
    with pytest.raises(ConfigError, match="has no token for 'deu'"):
        CTranslate2Translator(nllb, Directions(("deu",), ("fra",)))


def without(folder: Path, name: str, path: Path) -> Path:
    shutil.copytree(folder, path)
    (path / name).unlink()
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model.bin", "is no translator of CTranslate2"),
        ("config.json", "config.json: is not there"),
        ("shared_vocabulary.json", "has no shared_vocabulary.json"),
        ("sentencepiece.bpe.model", "has 0 SentencePiece models"),
    ],
)
def test_a_missing_file_is_named(nllb, tmp_path, name, said):
    with pytest.raises(ModelError, match=said):
        CTranslate2Translator(without(nllb, name, tmp_path / "model"))


def test_damaged_files_are_named(nllb, tmp_path):
    damages = {
        "shared_vocabulary.json": (b"{}", "holds a dict, expected a list"),
        "config.json": (b"{", "is not JSON"),
        "sentencepiece.bpe.model": (b"no", "is no SentencePiece model"),
        "model.bin": (b"no", "is no translator of CTranslate2"),
    }
    for name, (data, said) in damages.items():
        folder = tmp_path / name.replace(".", "-")
        shutil.copytree(nllb, folder)
        (folder / name).write_bytes(data)
        with pytest.raises(ModelError, match=said):
            CTranslate2Translator(folder)


def test_a_vocabulary_without_languages_is_none_of_a_multilingual_model(nllb, tmp_path):
    folder = without(nllb, "shared_vocabulary.json", tmp_path / "model")
    tokens = [token.replace("_Latn", "") for token in vocabulary_of(nllb)]
    (folder / "shared_vocabulary.json").write_text(json.dumps(tokens))
    with pytest.raises(ModelError, match="no token of a language"):
        CTranslate2Translator(folder)


def test_an_older_vocabulary_is_a_text_file(nllb, tmp_path):
    folder = without(nllb, "shared_vocabulary.json", tmp_path / "model")
    (folder / "shared_vocabulary.txt").write_text("\n".join(vocabulary_of(nllb)) + "\n", encoding="utf-8")
    assert CTranslate2Translator(folder).targets == ("eng", "fra", "spa")


def test_without_the_package_the_error_names_the_extra(nllb, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(ConfigError, match=r"pip install 'speech-ctc\[ctranslate2\]'"):
        CTranslate2Translator(nllb)
