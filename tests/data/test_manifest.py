"""`speech.data.manifest`: what a manifest may say, and what every mistake in it is answered with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import DataError
from speech.transcript import Word

GOOD: dict[str, Any] = {
    "id": "a",
    "audio": "clips/a.ogg",
    "duration": 1.5,
    "lang": "eng",
    "text": "Good morning",
    "translations": {"deu": "Guten Morgen"},
    "parallel_id": "greeting",
    "speaker": "s1",
    "source": "corpus",
    "licence": "CC0",
}


WORD: dict[str, Any] = {"text": "good", "start": 0.1, "end": 0.5, "language": "eng"}


def write_lines(path: Path, *records: dict[str, Any] | str) -> Path:
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records), encoding="utf-8")
    return path


def without(key: str) -> dict[str, Any]:
    return {k: v for k, v in GOOD.items() if k != key}


def test_a_line_becomes_an_utterance_with_an_absolute_path(tmp_path: Path) -> None:
    [utterance] = read_manifest(write_lines(tmp_path / "m.jsonl", GOOD))
    assert utterance == Utterance(
        id="a",
        audio=tmp_path / "clips/a.ogg",
        duration_s=1.5,
        language="eng",
        text="Good morning",
        translations={"deu": "Guten Morgen"},
        parallel_id="greeting",
        speaker="s1",
        source="corpus",
        licence="CC0",
    )
    assert hash(utterance) == hash(replace(utterance, translations={}))


def test_audio_is_relative_to_root_where_one_is_given(tmp_path: Path) -> None:
    [utterance] = read_manifest(write_lines(tmp_path / "m.jsonl", GOOD), root=tmp_path / "elsewhere")
    assert utterance.audio == tmp_path / "elsewhere/clips/a.ogg"


def test_optional_fields_unknown_keys_and_empty_lines_are_accepted(tmp_path: Path) -> None:
    minimal = {key: GOOD[key] for key in ("id", "audio", "lang", "text")} | {"duration": 2, "colour": "blue"}
    [utterance] = read_manifest(write_lines(tmp_path / "m.jsonl", "", minimal, "  "))
    assert (utterance.duration_s, utterance.translations, utterance.parallel_id) == (2.0, {}, None)


@pytest.mark.parametrize(
    ("record", "field", "says"),
    [
        ("{not json", "json", "not a JSON object"),
        ("[1, 2]", "json", "is a JSON list"),
        *[(without(key), key, "is missing") for key in ("id", "audio", "duration", "lang", "text")],
        (GOOD | {"text": None}, "text", "is missing"),
        (GOOD | {"id": 7}, "id", "is int 7, expected str"),
        (GOOD | {"id": ""}, "id", "is empty"),
        (GOOD | {"audio": ""}, "audio", "is empty"),
        (GOOD | {"duration": "1.5"}, "duration", "is str '1.5', expected float"),
        (GOOD | {"duration": True}, "duration", "is bool True, expected float"),
        (GOOD | {"duration": 0}, "duration", "expected more than 0"),
        (GOOD | {"duration": -1.0}, "duration", "expected more than 0"),
        (GOOD | {"duration": float("nan")}, "duration", "expected more than 0"),
        (GOOD | {"lang": "qqq"}, "lang", "'qqq' is not an ISO 639-3 language"),
        (GOOD | {"lang": "English"}, "lang", "Write 'eng'"),
        (GOOD | {"translations": ["x"]}, "translations", "expected dict"),
        (GOOD | {"translations": {"qqq": "x"}}, "translations.qqq", "is not an ISO 639-3 language"),
        (GOOD | {"translations": {"fra": 1}}, "translations.fra", "is int, expected str"),
        (GOOD | {"words": "good"}, "words", "expected list"),
        (GOOD | {"words": [WORD, "good"]}, "words.1", "is a str, expected an object"),
        *[
            (GOOD | {"words": [WORD, {k: v for k, v in WORD.items() if k != key}]}, "words.1", says)
            for key, says in (
                ("text", "needs text and language"),
                ("language", "needs text and language"),
                ("start", "from None to 0.5, expected seconds in order"),
                ("end", "from 0.1 to None, expected seconds in order"),
            )
        ],
        (GOOD | {"words": [WORD | {"language": "English"}]}, "words.0.language", "Write 'eng'"),
        (GOOD | {"words": [WORD | {"start": 0.6}]}, "words.0", "is from 0.6 to 0.5, expected seconds in order"),
        (GOOD | {"words": [WORD | {"start": -0.1}]}, "words.0", "expected seconds in order"),
        (GOOD | {"words": [WORD | {"start": True}]}, "words.0", "expected seconds in order"),
        (GOOD | {"words": [WORD | {"start": float("nan")}]}, "words.0", "expected seconds in order"),
        (GOOD | {"words": [WORD | {"end": float("inf")}]}, "words.0", "expected seconds in order"),
        (GOOD, "id", "is already the id of line 1"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_field(
    tmp_path: Path, record: dict[str, Any] | str, field: str, says: str
) -> None:
    path = write_lines(tmp_path / "m.jsonl", GOOD, record)
    with pytest.raises(DataError) as error:
        read_manifest(path)
    assert error.value.where == f"{path}:2:{field}"
    assert says in str(error.value)


def test_a_file_that_is_not_utf8_is_an_error_of_its_line(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(json.dumps(GOOD).encode() + b'\n{"id": "\xff"}\n')
    with pytest.raises(DataError) as error:
        read_manifest(path)
    assert error.value.where == f"{path}:2:json"


def test_missing_audio_is_an_error_only_when_files_are_checked(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", GOOD)
    assert len(read_manifest(path)) == 1
    with pytest.raises(DataError) as error:
        read_manifest(path, check_files=True)
    assert error.value.where == f"{path}:1:audio"
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.ogg").touch()
    assert len(read_manifest(path, check_files=True)) == 1


def test_a_missing_manifest_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.jsonl"):
        read_manifest(tmp_path / "none.jsonl")


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    utterances = [
        Utterance(id="a", audio=tmp_path / "x/a.wav", duration_s=1.25, language="cmn", text="你好"),
        Utterance(
            id="b",
            audio=Path("/far/b.wav"),
            duration_s=2.0,
            language="eng",
            text='line\nbreak "quoted"',
            translations={"fra": "ligne"},
            parallel_id="p",
            speaker="s",
            source="c",
            licence="CC0",
        ),
    ]
    write_manifest(utterances, tmp_path / "deep/m.jsonl", root=tmp_path)
    assert read_manifest(tmp_path / "deep/m.jsonl", root=tmp_path) == utterances
    assert '"audio": "x/a.wav"' in (tmp_path / "deep/m.jsonl").read_text(encoding="utf-8")


def test_words_with_times_and_languages_are_read_back_to_the_millisecond(tmp_path: Path) -> None:
    words = (Word("gut", 0.25, 0.5, 1.0, "deu"), Word("day", 0.5, 1.0, 1.0, "eng"))
    written = Utterance(id="a", audio=tmp_path / "a.wav", duration_s=1.5, language="eng", text="gut day", words=words)
    fine = replace(written, id="b", words=(replace(words[0], start_s=1 / 3), words[1]))
    write_manifest([written, fine], tmp_path / "m.jsonl")
    first, second = read_manifest(tmp_path / "m.jsonl")
    assert first == written
    assert second.words[0].start_s == 0.333
    assert first.languages == ("eng", "deu")
    assert hash(first) == hash(written)


def test_an_utterance_in_one_language_needs_no_words(tmp_path: Path) -> None:
    [utterance] = read_manifest(write_lines(tmp_path / "m.jsonl", GOOD))
    assert (utterance.words, utterance.languages) == ((), ("eng",))
    write_manifest([utterance], tmp_path / "n.jsonl")
    assert "words" not in (tmp_path / "n.jsonl").read_text("utf-8")


def test_a_write_that_fails_leaves_the_old_manifest_and_no_other_file(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "m.jsonl", GOOD)
    before = path.read_bytes()

    def interrupted() -> Iterator[Utterance]:
        yield from read_manifest(path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(interrupted(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
