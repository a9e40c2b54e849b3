from speech.dialogue.answers.answerer import ChatMessage, KnownAnswer, TextPiece, ToolCall, users_texts

PARTS = [TextPiece("a"), ToolCall("call_1", "look", "{}"), TextPiece("b")]


def test_a_known_answer_gives_its_parts():
    assert list(KnownAnswer(PARTS)) == PARTS


def test_a_known_answer_ends_where_it_is_closed():
    answer = KnownAnswer(PARTS)
    assert next(answer) == PARTS[0]
    answer.close()
    answer.close()
    assert list(answer) == []


def test_the_users_texts_are_those_of_the_user():
    messages = [
        ChatMessage("system", "Be short."),
        ChatMessage("user", "one"),
        ChatMessage("assistant", "", tool_calls=(ToolCall("call_1", "look", "{}"),)),
        ChatMessage("tool", "a result", tool_call_id="call_1"),
        ChatMessage("user", "two"),
    ]
    assert users_texts(messages) == ["one", "two"]
