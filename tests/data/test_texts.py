"""Texts with ids, from every kind of file that people have."""

import json

import pytest

from speech.data.texts import TaggedWord, Text, check_ids, read_texts
from speech.errors import DataError, FileError
from speech.transcript import Transcript


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
        *[
            (["u0 x", f'{{"id": {found}, "path": "u1.wav", "text": "x"}}'], rf"a.txt:2:id: is {shown}")
            for found, shown in (
                ("true", "True, expected a text or a whole number"),
                ("null", "None, expected"),
                ("1.5", "1.5, expected"),
                ("1e300", "1e.300, expected"),
                ("[1]", r"\[1\], expected"),
                ('""', "empty"),
                ('" "', "empty"),
                ("NaN", "nan, expected"),
            )
        ],
        (
            ['{"id": 7, "text": "a"}', '{"id": 7.0, "text": "b"}'],
            r"a.txt:2: '7' is there twice, first in .*a.txt:1\. Give",
        ),
        (['{"id": 7, "text": "a"}', "7 b"], r"a.txt:2: '7' is there twice"),
        (['{"path": "a/x.wav", "text": "a"}', '{"path": "b/x.wav", "text": "b"}'], r"a.txt:2: 'x' is there twice"),
        (
            ['{"id": "u", "text": "x", "duration": ' + "9" * 400 + "}"],
            r"a.txt:1:duration: is 9+\.\.\.9+, expected seconds",
        ),
        (
            ['{"id": "u", "text": "x", "duration": 1e12}'],
            r"a.txt:1:duration: is 1e12|1000000000000.0, expected seconds",
        ),
        (['{"id": "u", "text": ' + "[" * 100_000], r"a.txt:1: not a JSON object: it is nested too deep"),
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
    with pytest.raises(FileError, match="no such file"):
        read_texts(tmp_path / "nowhere.txt")
    (tmp_path / "latin.txt").write_bytes(b"u1 caf\xe9")
    with pytest.raises(FileError, match=r"latin\.txt:1: is not UTF-8"):
        read_texts(tmp_path / "latin.txt")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.txt"):
        read_texts(tmp_path / "empty")


def test_missing_and_extra_ids_are_named():
    sides = [{key: Text(key, "") for key in keys} for keys in (["a", "b", "c"], ["b", "x"])]
    with pytest.raises(DataError, match=r"h: lacks 2 of 3 ids: a, c; has 1 ids that are not in the reference: x"):
        check_ids(*sides, "h")
    check_ids(sides[0], sides[0], "h")


PRINTED = [
    {"path": "/elsewhere/u1.wav", **Transcript("Guten Tag [x]\u2028ja", "deu", 0.9, "asr", 1.5, ()).to_dict()},
    {"path": "u2.wav", **Transcript("", "eng", 0.5, "asr", 0.5, ()).to_dict()},
]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(PRINTED, ensure_ascii=False, indent=1), json.dumps(PRINTED), json.dumps(PRINTED, indent=8) + "\n\n",
        "[\n" + ",\n".join(map(json.dumps, PRINTED)) + "\n]", "\n".join(map(json.dumps, PRINTED)),
        "\r\n".join(json.dumps(record, indent=2, ensure_ascii=False) for record in PRINTED),
        "\ufeff" + json.dumps(PRINTED, ensure_ascii=False),
    ],
)  # fmt: skip
def test_what_transcribe_writes_is_read_in_any_layout(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_bytes(text.encode())
    found = read_texts(path)
    assert {key: (item.text, item.languages, item.duration_s) for key, item in found.items()} == {
        "u1": ("Guten Tag [x]\u2028ja", ("deu",), 1.5), "u2": ("", ("eng",), 0.5),
    }  # fmt: skip


def test_a_file_that_was_not_transcribed_is_named_in_a_list_too(tmp_path):
    failed = [PRINTED[0], {"path": "u9.wav", "error": "has no samples"}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(failed, indent=1), "utf-8")
    with pytest.raises(DataError, match=r"a.json:\d+: was not transcribed: has no samples\. Transcribe it again"):
        read_texts(path)


def test_a_folder_of_what_transcribe_writes_is_read(tmp_path):
    for record in PRINTED:
        name = record["path"].rpartition("/")[2].replace(".wav", ".json")
        (tmp_path / name).write_text(json.dumps(record) + "\n", "utf-8")
    assert list(read_texts(tmp_path)) == ["u1", "u2"]


@pytest.mark.parametrize("character", "\u2028\u2029\x85\x0b\x0c\x1c\r\xa0\u3000", ids=ascii)
def test_only_a_line_feed_ends_a_line(tmp_path, character):
    path = tmp_path / "a.txt"
    path.write_bytes(f"u1 a{character}b\r\nu2\tc{character}d\n".encode())
    assert {key: item.text for key, item in read_texts(path).items()} == {
        "u1": f"a{character}b",
        "u2": f"c{character}d",
    }
    if character >= " ":
        path.write_bytes(f'{{"id": "u1", "text": "a{character}b"}}\n'.encode())
        assert read_texts(path)["u1"].text == f"a{character}b"


def test_numbers_are_ids_and_zeros_before_them_are_kept(tmp_path):
    path = written(
        tmp_path / "a.jsonl", '{"id": 1, "text": "a"}', '{"id": 2.0, "text": "b"}',
        '{"utterance_id": "007", "text": "c"}',
        '{"id": "two words", "text": "d"}', '{"id": 12345678901234567890123, "text": "e"}', "8 f",
    )  # fmt: skip
    assert list(read_texts(path)) == ["1", "2", "007", "two words", "12345678901234567890123", "8"]


def test_lists_do_not_hide_lines_whose_id_begins_with_a_bracket(tmp_path):
    assert read_texts(written(tmp_path / "a.txt", "[u1] hello", "u2 [x]"))["[u1]"].text == "hello"


@pytest.mark.parametrize("given", ["und", ["und"], "zxx", None, ""])
def test_a_language_that_is_not_known_is_none(tmp_path, given):
    words = [{"text": "x", "language": given, "emitted": 1.0}] if isinstance(given, str) else []
    line = json.dumps({"id": "u1", "text": "x", "language": given, "words": words})
    found = read_texts(written(tmp_path / "a.jsonl", line))["u1"]
    assert found.languages == ()
    assert [word.language for word in found.words] == [None] * len(words)


def test_ids_in_messages_are_of_one_line():
    sides = [{key: Text(key, "") for key in keys} for keys in (["a\nb", "x" * 500], ["a"])]
    with pytest.raises(DataError) as error:
        check_ids(*sides, "h")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_translations_are_read_in_place_of_texts_and_what_has_none_is_left_out(tmp_path):
    first = {"id": "a", "lang": "fra", "text": "bonjour", "translations": {"eng": "good day", "deu": "guten Tag"}}
    records = [
        first | {"duration": 2.0, "words": [{"text": "bonjour", "language": "fra"}]},
        first | {"id": "b", "translations": {}},
    ]
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    found = read_texts(path, to="eng")
    assert found == {"a": Text("a", "good day", ("eng",), duration_s=2.0)}
    with pytest.raises(DataError, match="has no translation into spa"):
        read_texts(path, to="spa")
    with pytest.raises(DataError, match="is a folder"):
        read_texts(tmp_path, to="eng")
    path.write_text("a bonjour\n", "utf-8")
    with pytest.raises(DataError, match="has no translation into eng"):
        read_texts(path, to="eng")
    path.write_text(json.dumps(first | {"translations": ["good day"]}), "utf-8")
    with pytest.raises(DataError, match=r"manifest.jsonl:1:translations: is .*expected an object"):
        read_texts(path, to="eng")


def test_a_recording_has_a_translation_of_every_segment(tmp_path):
    segment = {"id": "a1", "lang": "fra", "text": "x", "recording": "talk", "start": 3, "duration": 2.5}
    path = tmp_path / "segments.jsonl"
    path.write_text(json.dumps(segment | {"translations": {"eng": ""}}), "utf-8")
    assert read_texts(path, to="eng")["a1"].text == ""
    path.write_text(json.dumps(segment | {"translations": {"deu": "y"}}), "utf-8")
    with pytest.raises(DataError, match=r"segments.jsonl:1:translations: has none into eng: every segment"):
        read_texts(path, to="eng")


def test_segments_of_a_recording_have_its_id_and_their_start(tmp_path):
    segment = {"id": "a1", "text": "x", "recording": "talk", "start": 3, "duration": 2.5}
    path = tmp_path / "segments.jsonl"
    path.write_text(json.dumps(segment), "utf-8")
    assert read_texts(path) == {"a1": Text("a1", "x", duration_s=2.5, recording="talk", start_s=3.0)}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"start": None}, ":1:start: is missing"),
        ({"duration": None}, ":1:duration: is missing"),
        ({"start": -1}, ":1:start: is -1, expected seconds"),
        ({"recording": 3}, ":1:recording: is 3, expected the id"),
        ({"recording": ""}, ":1:recording: is '', expected the id"),
    ],
)
def test_a_segment_without_its_place_is_refused(tmp_path, changed, fault):
    segment = {"id": "a1", "text": "x", "recording": "talk", "start": 3, "duration": 2.5}
    path = tmp_path / "segments.jsonl"
    path.write_text(json.dumps(segment | changed), "utf-8")
    with pytest.raises(DataError, match=fault):
        read_texts(path)
