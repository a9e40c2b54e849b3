import pytest

from speech.dialogue.answers.answerer import ChatMessage, TextPiece
from speech.dialogue.answers.echo import EchoAnswerer

HEARD = [ChatMessage("user", "one"), ChatMessage("assistant", "one"), ChatMessage("user", "two")]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([], []),
        ([ChatMessage("system", "Be short.")], []),
        ([ChatMessage("user", "")], []),
        (HEARD[:1], ["one"]),
        (HEARD, ["two"]),
        ([*HEARD, ChatMessage("tool", "a result", tool_call_id="call_1")], ["two"]),
    ],
)
def test_it_says_what_the_user_said_last(messages, said):
    assert list(EchoAnswerer().answer(messages)) == [TextPiece(text) for text in said]
