"""How a dialogue is led."""

import pytest

from speech.dialogue.settings import DialogueSettings
from speech.errors import ConfigError


@pytest.mark.parametrize(
    ("automatic", "interruptible", "interrupts"),
    [(True, None, True), (False, None, False), (False, True, True), (True, False, False)],
)
def test_speech_interrupts_where_turns_are_automatic_unless_it_is_said(automatic, interruptible, interrupts):
    assert DialogueSettings(automatic=automatic, interruptible=interruptible).interrupts == interrupts


def test_what_is_out_of_range_is_named():
    with pytest.raises(ConfigError, match=r"dialogue\.lead_s"):
        DialogueSettings(lead_s=0.0)
