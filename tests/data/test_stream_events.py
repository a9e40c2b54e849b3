"""What `speech stream --jsonl` prints becomes a text with emission times."""

import json

import pytest

from speech.data.stream_events import begins_stream, streamed_text
from speech.data.texts import TaggedWord, read_texts
from speech.errors import DataError

START = {"type": "started", "seq": 1, "session": "s"}
END = {"type": "end", "seq": 9, "audio_ms": 6000}


def message(text, audio_ms, lag_ms=0, *, segment=0, final=False, kind="translation", target="eng"):
    words = [{"text": word} for word in text.split()]
    record = {"type": kind, "segment": segment, "is_final": final, "text": text, "words": words}
    record |= {"audio_ms": audio_ms, "lag_ms": lag_ms}
    return record | ({"target": target} if kind == "translation" else {})


TALK = [
    START,
    message("bon", 500, kind="transcript"),
    message("good mourning", 1000, 100),
    message("good morning to", 2000, 200),
    message("Good morning", 2500, kind="transcript", final=True),
    message("good morning to you", 3000, 300, final=True),
    message("again", 5000, 0, segment=1),
    message("again", 5500, 500, segment=1, final=True),
    END,
]


def read(messages, **options):
    return streamed_text([(one, f"a:{n}") for n, one in enumerate(messages)], **options)


def test_a_word_is_emitted_when_it_is_written_and_not_changed_again():
    found = read(TALK, translation=True)
    assert found.text == "good morning to you again"
    assert list(zip(found.words, found.emitted_s, strict=True)) == [
        ("good", 1.1), ("morning", 2.2), ("to", 2.2), ("you", 3.3), ("again", 5.0),
    ]  # fmt: skip
    assert found.duration_s == 6.0


def test_words_behind_a_change_count_as_changed():
    found = read([message("a b c", 1000), message("x b c", 2000, final=True)], translation=True)
    assert found.emitted_s == (2.0, 2.0, 2.0)


def test_the_transcript_is_read_unless_a_translation_is_asked_for():
    assert read(TALK, translation=False).text == "Good morning"
    assert read([START, END], translation=False).text == ""


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([START, message("x", 1, kind="transcript"), END], "has no translation"),
        ([message("x", 1), message("x", 1, target="deu")], "translations into deu, eng"),
        ([{key: value for key, value in message("x", 1).items() if key != "words"}], "is no translation message"),
        ([message("x", "soon")], "is no translation message"),
    ],
)
def test_what_is_no_translation_is_refused(messages, said):
    with pytest.raises(DataError, match=said):
        read(messages, translation=True)


def test_a_file_of_messages_is_one_utterance_named_after_it(tmp_path):
    path = tmp_path / "talk.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in TALK), "utf-8")
    assert begins_stream(START)
    (found,) = read_texts(path, translation=True).values()
    assert (found.id, found.text, found.duration_s) == ("talk", "good morning to you again", 6.0)
    assert found.words[1] == TaggedWord("morning", None, emitted_s=2.2)
    assert read_texts(path)["talk"].text == "Good morning"
    assert list(read_texts(tmp_path)) == ["talk"]


def test_empty_lines_between_messages_say_nothing(tmp_path):
    path = tmp_path / "talk.jsonl"
    path.write_text("\n\n".join(json.dumps(one) for one in TALK) + "\n\n", "utf-8")
    assert read_texts(path, translation=True)["talk"].text == "good morning to you again"
