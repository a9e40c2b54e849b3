"""What a dialogue wants done: values that a program can compare and pass on."""

from typing import get_args

from speech.dialogue.actions import Action, Ask, Say
from speech.dialogue.answers.answerer import ChatMessage


def test_every_action_names_its_reply():
    assert all("reply" in kind.__dataclass_fields__ for kind in get_args(Action))


def test_actions_are_values():
    assert Say(1, "hello", last=False) == Say(1, "hello", last=False)
    assert Ask(0, (ChatMessage("user", "hi"),), None) == Ask(0, (ChatMessage("user", "hi"),), None)
