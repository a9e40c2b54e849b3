import pytest

from speech.dialogue.answers.answerer import ChatMessage, TextPiece
from speech.dialogue.answers.script import ScriptAnswerer
from speech.errors import DataError, FileError

SCRIPT = "# greetings\nGood morning.\n\n   \n  Wie geht's?  \r\n# the end\nÜber alles #1.\n"


@pytest.fixture
def answerer(tmp_path):
    path = tmp_path / "answers.txt"
    path.write_bytes(SCRIPT.encode())
    return ScriptAnswerer.read(path)


def dialogue(turns: int) -> list[ChatMessage]:
    """What the user said so often, each answered but the last."""
    said = [ChatMessage(role, "words") for _ in range(turns) for role in ("user", "assistant")]
    return [ChatMessage("system", "Be short."), *said][: 2 * turns]


def test_each_turn_gets_the_next_line_and_behind_the_last_comes_the_first(answerer):
    lines = ["Good morning.", "Wie geht's?", "Über alles #1."]
    for turn in range(1, 8):
        assert list(answerer.answer(dialogue(turn))) == [TextPiece(lines[(turn - 1) % 3])]


def test_the_same_turn_gets_the_same_answer_again(answerer):
    assert list(answerer.answer(dialogue(2))) == list(answerer.answer(dialogue(2)))


def test_before_the_user_said_anything_the_answer_is_empty(answerer):
    assert list(answerer.answer(dialogue(0))) == []


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing\n"])
def test_a_file_without_an_answer_is_named(tmp_path, content):
    path = tmp_path / "answers.txt"
    path.write_text(content)
    with pytest.raises(DataError, match="has no answer") as caught:
        ScriptAnswerer.read(path)
    assert caught.value.where == str(path)


def test_a_long_line_is_named(tmp_path):
    path = tmp_path / "answers.txt"
    path.write_text(f"Good.\n{'a' * 4000}\n{'a' * 4001}\n")
    with pytest.raises(DataError, match="an answer of 4001 letters, at most 4000") as caught:
        ScriptAnswerer.read(path)
    assert caught.value.where == f"{path}:3"


def test_a_line_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "answers.txt"
    path.write_bytes(b"Good.\n\xff\n")
    with pytest.raises(FileError, match="is not UTF-8") as caught:
        ScriptAnswerer.read(path)
    assert caught.value.where == f"{path}:2"


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        ScriptAnswerer.read(tmp_path / "none.txt")
