"""The public class: files and arrays to transcripts."""

import shutil

import numpy as np
import pytest
import soundfile

from speech import Recognizer, SpeechError, Transcript
from speech.decode.token_ngram import EDGE, TokenNgram
from speech.errors import AudioError, LanguageError, ModelError
from speech.models.adapter_file import fingerprint
from speech.stream.second_pass import Request


@pytest.fixture(scope="module")
def recognizer(checkpoint):
    return Recognizer.from_pretrained(str(checkpoint))


def test_a_file_and_its_samples_give_the_same(recognizer, wave):
    samples, rate = soundfile.read(wave, dtype="float32")
    a, b = recognizer.transcribe(wave), recognizer.transcribe(samples, rate=rate)
    assert a == b
    assert a.duration_s == 1.5
    assert a.language in recognizer.tokenizer.vocabulary.languages
    assert 0.0 < a.language_probability <= 1.0
    assert a.text == " ".join(word.text for word in a.words)


def test_a_given_language_is_kept_under_any_of_its_names(recognizer, wave):
    for name in ("German", "de", "deu"):
        assert recognizer.transcribe(wave, language=name).language == "deu"


def test_translation_names_its_task_and_writes_the_target_language(recognizer, wave):
    result = recognizer.transcribe(wave, to="English")
    assert result.task == "st_eng"
    assert all(word.language == "eng" for word in result.words)


@pytest.mark.parametrize("options", [{"language": "Klingon"}, {"language": "fra"}, {"to": "deu"}])
def test_languages_that_are_unknown_or_not_the_models_are_refused(recognizer, wave, options):
    with pytest.raises(LanguageError):
        recognizer.transcribe(wave, **options)


def test_a_bad_file_does_not_stop_the_others(recognizer, wave, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    results = list(recognizer.transcribe_files([wave, bad, tmp_path / "missing.wav", wave]))
    assert [type(result) for _, result in results] == [Transcript, AudioError, AudioError, Transcript]
    assert results[0][1] == results[3][1]
    assert isinstance(results[1][1], SpeechError)


def test_long_files_among_short_ones_keep_their_order(recognizer, wave, tmp_path):
    long = tmp_path / "long.wav"
    soundfile.write(long, np.random.default_rng(0).standard_normal(16000 * 40).astype(np.float32) * 0.1, 16000)
    results = list(recognizer.transcribe_files([wave, long, wave], Request(), group_s=10.0))
    assert [path for path, _ in results] == [str(wave), str(long), str(wave)]
    assert results[1][1] == recognizer.transcribe(long)
    assert results[1][1].duration_s == 40.0


def test_its_fingerprint_is_that_of_the_weights_on_disk(recognizer, checkpoint):
    assert recognizer.fingerprint == fingerprint(checkpoint)
    with pytest.raises(ModelError, match="was not loaded from disk"):
        _ = Recognizer(recognizer.model, recognizer.tokenizer).fingerprint


def test_a_language_model_beside_the_model_is_used_unless_told_otherwise(checkpoint, wave, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(checkpoint, folder)
    tokenizer = Recognizer.from_pretrained(str(folder)).tokenizer
    ids = tokenizer.encode("the cat sat on the mat")
    ngram = TokenNgram.train([([EDGE, *ids, EDGE], 1.0)], order=4)
    ngram.weight, ngram.bonus = 5.0, 0.0
    ngram.save(folder / "lm.safetensors")
    plain = Recognizer.from_pretrained(str(checkpoint)).transcribe(wave)
    assert Recognizer.from_pretrained(str(folder), beam=1).transcribe(wave) == plain
    helped = Recognizer.from_pretrained(str(folder)).transcribe(wave)
    assert helped.text != plain.text
    given = Recognizer.from_pretrained(str(checkpoint), language_model=folder / "lm.safetensors")
    assert given.transcribe(wave) == helped
