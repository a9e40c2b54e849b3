import pytest

from speech.dialogue.answers.answerer import ChatMessage, TextPiece
from speech.dialogue.answers.chat import KEY, AnswerOptions
from speech.dialogue.answers.opening import open_answerer
from speech.errors import ConfigError, DataError, FileError
from tests.chat_server import chatting, delta

ASKED = [ChatMessage("user", "Good day?")]


def test_echo_says_what_the_user_said():
    assert list(open_answerer("echo", AnswerOptions()).answer(ASKED)) == [TextPiece("Good day?")]


def test_a_script_says_its_lines(tmp_path):
    path = tmp_path / "a:b=c.txt"
    path.write_text("Good day.\n")
    assert list(open_answerer(f"script:{path}").answer(ASKED)) == [TextPiece("Good day.")]


def test_an_address_is_a_chat_endpoint_whose_key_is_in_the_environment():
    with chatting() as server:
        server.stream = lambda _: [delta("Good day.", "stop")]
        options = AnswerOptions(instructions="Be short.")
        for choice, environment in (
            (f"{server.url}=org/tiny:1b=q4", {KEY: "sk-x"}),
            (server.url.replace("http", "HTTP", 1), {KEY: ""}),
        ):
            assert list(open_answerer(choice, options, environment).answer(ASKED)) == [TextPiece("Good day.")]
        assert [asked.get("model") for asked in server.asked] == ["org/tiny:1b=q4", None]
        assert [headers.get("Authorization") for headers in server.headers] == ["Bearer sk-x", None]
        assert server.asked[0]["messages"][0] == {"role": "system", "content": "Be short."}


@pytest.mark.parametrize("choice", ["", "ehco", "echo:", "script", "script:", "ftp://me:hidden@host/v1", "answers.txt"])
def test_other_choices_are_refused_with_the_right_ones(choice):
    with pytest.raises(ConfigError, match=r"that is none\. Give echo, script:FILE, or the address") as caught:
        open_answerer(choice)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("http://", "an answerer's address that is none"),
        ("http://host/v1?x=1", "an answerer's address that is none"),
        ("http://host/v1=", "an empty name of a model"),
        ("http://me:hidden@host/v1=tiny", "holds a password"),
    ],
)
def test_an_address_that_is_none_is_refused(choice, said):
    with pytest.raises(ConfigError, match=said) as caught:
        open_answerer(choice)
    assert "hidden" not in str(caught.value)


def test_options_without_an_endpoint_are_refused():
    with pytest.raises(ConfigError, match="an answerer 'echo' with options of an endpoint"):
        open_answerer("echo", AnswerOptions(max_tokens=9))


def test_a_script_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        open_answerer(f"script:{tmp_path / 'none'}")
    (tmp_path / "empty").touch()
    with pytest.raises(DataError, match="has no answer"):
        open_answerer(f"script:{tmp_path / 'empty'}")
