"""Spoken texts: manifests, and folders of texts and recordings."""

from __future__ import annotations

import json

import pytest

from speech.data.spoken_texts import check_same_texts, read_spoken_texts
from speech.errors import DataError


@pytest.fixture
def folder(tmp_path):
    for key, text in (("a", "Hello there."), ("b", "Good morning.")):
        (tmp_path / f"{key}.txt").write_text(text)
        (tmp_path / f"{key}.wav").write_bytes(b"RIFF")
    return tmp_path


def test_a_folder_has_texts_with_recordings_beside_them_in_a_language_that_is_told(folder):
    (folder / "a.json").write_text(json.dumps({"duration": 1.0, "language": "deu", "words": []}))  # of speech say
    found = read_spoken_texts(folder, "eng")
    assert [(one.id, one.text, one.audio, one.languages) for one in found.values()] == [
        ("a", "Hello there.", folder / "a.wav", ("deu",)), ("b", "Good morning.", folder / "b.wav", ("eng",)),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"b: has no language.*--language eng"):
        read_spoken_texts(folder)


def test_a_recording_is_there_once(folder):
    (folder / "b.mp3").write_bytes(b"")
    with pytest.raises(DataError, match=r"b: has several recordings: b\.mp3, b\.wav"):
        read_spoken_texts(folder, "eng")
    for name in ("b.mp3", "b.wav"):
        (folder / name).unlink()
    with pytest.raises(DataError, match=r"b: has no recording.*beside b\.txt"):
        read_spoken_texts(folder, "eng")


def test_a_manifest_names_recordings_and_languages(folder):
    records = [
        {"id": "x", "audio": "a.wav", "lang": "spa", "text": "Hola."},
        {"id": "y", "audio": "b.wav", "languages": ["spa", "eng"], "text": "Un hotdog."},
    ]
    manifest = folder / "said.jsonl"
    manifest.write_text("".join(json.dumps(one) + "\n" for one in records))
    found = read_spoken_texts(manifest, "eng")
    assert [one.languages for one in found.values()] == [("spa",), ("spa", "eng")]
    assert found["x"].audio == folder / "a.wav"
    (folder / "a.wav").unlink()
    with pytest.raises(DataError, match=r"said\.jsonl: x: there is no file .*a\.wav"):
        read_spoken_texts(manifest)
    manifest.write_text(json.dumps({"id": "x", "text": "Hola.", "lang": "spa"}))
    with pytest.raises(DataError, match=r"x: has no recording.*`audio`"):
        read_spoken_texts(manifest)


def test_word_times_that_are_no_json_are_named(folder):
    (folder / "a.json").write_text("no")
    with pytest.raises(DataError, match=r"a\.json: not a JSON object"):
        read_spoken_texts(folder, "eng")


def test_systems_say_the_same_texts(folder):
    first = read_spoken_texts(folder, "eng")
    check_same_texts(first, read_spoken_texts(folder, "eng"), "other")
    with pytest.raises(DataError, match=r"other: a: its languages are not as in the first system"):
        check_same_texts(first, read_spoken_texts(folder, "spa"), "other")
    (folder / "b.txt").write_text("Good evening.")
    with pytest.raises(DataError, match=r"other: b: its text is not as in the first system"):
        check_same_texts(first, read_spoken_texts(folder, "eng"), "other")
    with pytest.raises(DataError, match=r"lacks 1 of 2 ids: b"):
        check_same_texts(first, {"a": first["a"]}, "other")
