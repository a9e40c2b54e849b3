"""What a chat model reads of a dialogue."""

from speech.dialogue.answers.answerer import ChatMessage, ToolCall
from speech.dialogue.history import History, heard_text
from speech.tts.speech_stream import SaidWord


def test_what_one_side_says_in_a_row_is_one_message():
    history = History("be kind")
    history.add(ChatMessage("user", "hello"))
    history.add(ChatMessage("user", "there"))
    history.add(ChatMessage("assistant", "hi"))
    assert history.messages("bye") == (
        ChatMessage("system", "be kind"),
        ChatMessage("user", "hello there"),
        ChatMessage("assistant", "hi"),
        ChatMessage("user", "bye"),
    )
    assert history.messages(instructions="be brief")[0].text == "be brief"


def test_calls_and_their_results_stay_apart():
    history, call = History(), ToolCall("a", "clock", "{}")
    history.add(ChatMessage("assistant", "let me see", (call,)))
    history.add(ChatMessage("tool", "noon", tool_call_id="a"))
    history.add(ChatMessage("assistant", "it is noon"))
    history.add(ChatMessage("assistant", "really"))
    assert [message.text for message in history.messages()] == ["let me see", "noon", "it is noon really"]


def test_words_of_the_user_can_be_taken_back_until_our_voice_has_answered():
    history = History()
    history.take_back("hello")
    for text in ("hello", "there", "written"):
        history.add(ChatMessage("user", text))
    history.take_back("there")
    assert [message.text for message in history.messages()] == ["hello written"]
    history.add(ChatMessage("assistant", "hi"))
    history.take_back("written")
    assert [message.text for message in history.messages()] == ["hello written", "hi"]


def test_a_text_ends_with_the_last_word_that_was_heard():
    text = "It costs $5, I think."
    words = [SaidWord("it", 0, 1, 0, 2), SaidWord("costs", 1, 2, 3, 8), SaidWord("five", 2, 3, 9, 11)]
    assert heard_text(text, []) == ""
    assert heard_text(text, words[:2]) == "It costs"
    assert heard_text(text, words) == "It costs $5"
