"""The public class: files and arrays to transcripts."""

import io
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speech import Recognizer, SpeechError, Transcript
from speech.audio.input import blocks
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.errors import AudioError, LanguageError, ModelError
from speech.models.adapters.file import fingerprint
from speech.recognize.request import Request


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


def test_channel_and_track_are_those_of_files_and_arrays(recognizer, wave, tmp_path):
    samples, rate = soundfile.read(wave, dtype="float32")
    both, path = np.stack([0 * samples, samples], axis=1), tmp_path / "two.wav"
    soundfile.write(path, both, rate, subtype="FLOAT")
    expected = recognizer.transcribe(samples, rate=rate)
    assert recognizer.transcribe(path, channel=1, track=0) == expected
    assert recognizer.transcribe(both, rate=rate, channel=1) == expected
    assert [result for _, result in recognizer.transcribe_files([path], channel=1)] == [expected]
    for options, match in (({"channel": 2}, "no channel 2"), ({"track": 1}, "no track 1")):
        with pytest.raises(AudioError, match=match):
            recognizer.transcribe(path, **options)
        with pytest.raises(AudioError, match=match):
            recognizer.align(path, "a", **options)
        with pytest.raises(AudioError, match=match):
            recognizer.transcribe(both, rate=rate, **options)
        assert match in str(next(recognizer.transcribe_files([path], **options))[1])


def test_standard_input_is_a_file_called_so(recognizer, wave, monkeypatch):
    for content, match in ((Path(wave).read_bytes(), None), (b"", "standard input: has no samples")):
        read, write = os.pipe()
        os.write(write, content)
        os.close(write)
        with io.TextIOWrapper(os.fdopen(read, "rb")) as pipe:
            monkeypatch.setattr(sys, "stdin", pipe)
            ((name, result),) = recognizer.transcribe_files(["-"])
            monkeypatch.undo()
        assert name == "-"
        assert result == recognizer.transcribe(wave) if match is None else match in str(result)


def test_a_text_is_aligned_with_five_minutes_at_most(recognizer):
    with pytest.raises(AudioError, match="array: has more than 300 s"):
        recognizer.align(np.zeros(301 * 16_000, np.float32), "a")


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


@pytest.fixture
def poisoned(recognizer, wave, tmp_path, monkeypatch):
    """Three files; the model fails over whatever is read together with the second."""
    samples = soundfile.read(wave, dtype="float32")[0]
    paths = [tmp_path / f"{n}.wav" for n in range(3)]
    for n, path in enumerate(paths):
        soundfile.write(path, samples[: 16000 + 1600 * n], 16000)
    read = recognizer._reader.read

    def failing(files, request):
        files = [list(blocks) for blocks in files]
        if any(sum(map(len, blocks)) == 17600 for blocks in files):
            raise RuntimeError("index out of range [in] self")
        return read(files, request)

    expected = dict(recognizer.transcribe_files(paths))
    monkeypatch.setattr(recognizer._reader, "read", failing)
    return paths, expected


@pytest.mark.parametrize("group_s", [240.0, 0.5], ids=["together", "alone"])
def test_a_file_over_which_the_model_fails_is_named_and_the_others_are_read(recognizer, poisoned, monkeypatch, group_s):
    paths, expected = poisoned
    monkeypatch.setattr("speech.recognizer._GROUP_S", group_s)
    found = dict(recognizer.transcribe_files(paths))
    assert list(found) == list(map(str, paths))
    error = found.pop(str(paths[1]))
    assert str(error) == f"{paths[1]}: cannot be read: RuntimeError: index out of range [in] self"
    assert found == {path: expected[path] for path in found}


@pytest.mark.parametrize(
    ("raised", "said"),
    [(PermissionError(13, "Permission denied"), "permission denied"), (ValueError("odd"), "ValueError: odd")],
)
def test_whatever_reading_a_file_raises_is_its_own_failure(recognizer, wave, monkeypatch, raised, said):
    real = blocks.stream_audio

    def reading(source, **options):
        if "caf" in str(source):
            raise raised
        return real(source, **options)

    monkeypatch.setattr(blocks, "stream_audio", reading)
    (_, good), (name, bad) = recognizer.transcribe_files([wave, "caf\udce9.wav"])
    assert isinstance(good, Transcript)
    assert name == "caf\udce9.wav"
    assert str(bad) == f"caf\\xe9.wav: cannot be read: {said}"


def test_what_is_asked_for_is_not_the_fault_of_a_file(recognizer, wave, monkeypatch):
    def refusing(files, request):
        raise LanguageError("this model does not identify languages")

    monkeypatch.setattr(recognizer._reader, "read", refusing)
    with pytest.raises(LanguageError, match="does not identify"):
        list(recognizer.transcribe_files([wave]))


def test_silence_is_in_no_language_unless_one_is_named(recognizer):
    silence = np.zeros(32000, np.float32)
    found = recognizer.transcribe(silence)
    assert (found.text, found.language, found.language_probability) == ("", "und", None)
    assert recognizer.transcribe(silence, language="deu").language == "deu"


def test_long_files_among_short_ones_keep_their_order(recognizer, wave, tmp_path, monkeypatch):
    monkeypatch.setattr("speech.recognizer._GROUP_S", 10.0)
    long = tmp_path / "long.wav"
    soundfile.write(long, np.random.default_rng(0).standard_normal(16000 * 40).astype(np.float32) * 0.1, 16000)
    results = list(recognizer.transcribe_files([wave, long, wave], Request()))
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
