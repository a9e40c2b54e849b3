"""Texts with ids, from every kind of file that people have."""

import json

import pytest

from speech.data.texts import TaggedWord, Text, check_ids, read_texts
from speech.errors import DataError


def written(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def test_lines_of_an_id_and_a_text_are_read(tmp_path):
    found = read_texts(written(tmp_path / "a.txt", "u1 hello  world", "u2\tgood morning", "", "u3"))
    assert {key: item.text for key, item in found.items()} == {"u1": "hello  world", "u2": "good morning", "u3": ""}


def test_a_manifest_and_what_transcribe_prints_are_read(tmp_path):
    manifest = {"id": "u1", "audio": "clips/u1.wav", "duration": 1.0, "lang": "es", "text": "Hola."}
    printed = {"path": "/elsewhere/u2.wav", "language": "eng", "text": "hi", "words": [{"text": "hi", "start": 0.1}]}
    found = read_texts(written(tmp_path / "a.jsonl", *map(json.dumps, (manifest, printed))))
    assert found["u1"] == Text("u1", "Hola.", ("spa",), (), tmp_path / "clips/u1.wav", 1.0)
    assert found["u2"].languages == ("eng",)
    assert found["u2"].words == ()


def test_languages_of_words_and_marks_are_kept(tmp_path):
    words = [{"text": "das", "language": "de"}, {"text": "meeting", "language": "eng", "poi": True}]
    line = json.dumps({"id": "u1", "text": "das meeting", "languages": ["deu", "eng"], "words": words})
    (found,) = read_texts(written(tmp_path / "a.jsonl", line)).values()
    assert found.languages == ("deu", "eng")
    assert found.words == (TaggedWord("das", "deu"), TaggedWord("meeting", "eng", tagged=True))


def test_times_of_words_and_the_length_of_the_speech_are_kept(tmp_path):
    words = [{"text": "das", "emitted": 0.5}, {"text": "meeting", "emitted": None}]
    line = json.dumps({"id": "u1", "text": "das meeting", "duration": 2, "words": words})
    (found,) = read_texts(written(tmp_path / "a.jsonl", line)).values()
    assert found.duration_s == 2.0
    assert found.words == (TaggedWord("das", None, emitted_s=0.5), TaggedWord("meeting", None))


@pytest.mark.parametrize("given", ["cmn-eng", "zh,en", ["cmn", "en"]])
def test_a_pair_of_languages_is_written_in_several_ways(tmp_path, given):
    line = json.dumps({"id": "u1", "text": "x", "lang": given})
    assert read_texts(written(tmp_path / "a.jsonl", line))["u1"].languages == ("cmn", "eng")


def test_tags_in_a_text_become_marks_and_are_taken_out(tmp_path):
    (found,) = read_texts(written(tmp_path / "a.txt", "u1 das <tag daily meeting> ist")).values()
    assert found.text == "das daily meeting ist"
    assert [(word.text, word.tagged) for word in found.words] == [
        ("das", False),
        ("daily", True),
        ("meeting", True),
        ("ist", False),
    ]


def test_a_folder_has_a_file_for_each_id(tmp_path):
    written(tmp_path / "u1.txt", "hello")
    assert read_texts(tmp_path)["u1"].text == "hello"


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (["u1 a", "u1 b"], r"a.txt:2: 'u1' is there twice"),
        (["{"], r"a.txt:1: not a JSON object"),
        (['{"id": "u1"}'], r"a.txt:1:text: is missing"),
        (['{"id": "u1", "text": 5}'], r"a.txt:1:text: is 5"),
        (['{"text": "x"}'], r"a.txt:1:id: is missing"),
        (['{"id": "u1", "text": "x", "lang": "klingon"}'], r"a.txt:1:lang: .*klingon"),
        (['{"path": "a.wav", "error": "has no samples"}'], r"a.txt:1: was not transcribed: has no samples"),
        (['{"id": "u", "text": "x", "duration": "long"}'], r"a.txt:1:duration: is 'long', expected seconds"),
        (
            ['{"id": "u", "text": "x", "words": [{"text": "x", "emitted": -1}]}'],
            r"a.txt:1:words:emitted: is -1, expected",
        ),
        (['{"id": "u", "text": "x", "words": [{"text": "x", "emitted": NaN}]}'], r"a.txt:1:words:emitted: is nan"),
        (['{"id": "u", "text": "x", "words": [{"text": "x", "emitted": true}]}'], r"a.txt:1:words:emitted: is True"),
        ([], "has no utterance"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(tmp_path, lines, fault):
    with pytest.raises(DataError, match=fault):
        read_texts(written(tmp_path / "a.txt", *lines))


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_texts(tmp_path / "nowhere.txt")
    (tmp_path / "latin.txt").write_bytes(b"u1 caf\xe9")
    with pytest.raises(DataError, match="not UTF-8"):
        read_texts(tmp_path / "latin.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.txt"):
        read_texts(tmp_path / "empty")


def test_missing_and_extra_ids_are_named():
    sides = [{key: Text(key, "") for key in keys} for keys in (["a", "b", "c"], ["b", "x"])]
    with pytest.raises(DataError, match=r"h: lacks 2 of 3 ids: a, c; has 1 ids that are not in the reference: x"):
        check_ids(*sides, "h")
    check_ids(sides[0], sides[0], "h")
