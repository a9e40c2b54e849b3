"""A dialogue on the terminal."""

import io

import pytest
from rich.console import Console

from serve import converse_view
from serve.converse_view import ConverseView, waterfall


@pytest.fixture
def shown(monkeypatch):
    console = Console(file=io.StringIO(), width=120, markup=False, highlight=False)
    monkeypatch.setattr(converse_view, "stdout", lambda: console)

    def show(*events):
        with ConverseView() as view:
            for event in events:
                view.show(event)
        return console.file.getvalue()

    return show


def test_turns_replies_and_times_are_lines(shown):
    text = shown(
        {"type": "transcript", "is_final": False, "text": "hello"},
        {"type": "turn", "reply": 0, "text": "Hello [you]."},
        {"type": "reply_text", "reply": 0, "delta": "Good "},
        {"type": "reply_started", "reply": 0, "stages": {"final": 260, "sent": 505}},
        {"type": "reply_done", "reply": 0, "text": "Good day.", "calls": [{"name": "clock", "arguments": "{}"}]},
    )
    lines = [line.rstrip() for line in text.splitlines()]
    assert "you     Hello [you]." in lines
    assert "        final 260 ms  sent 505 ms" in lines
    assert "speech  Good day." in lines
    assert "        calls clock({})" in lines


def test_interruptions_failures_and_the_end_are_named(shown):
    text = shown(
        {"type": "turn", "reply": 0, "text": "Hi"},
        {"type": "reply_truncated", "reply": 0, "text": "Good"},
        {"type": "turn_reopened", "reply": 1},
        {"type": "reply_failed", "reply": 2, "message": "no such host"},
        {"type": "error", "code": "bad", "message": "worse"},
        {"type": "end", "audio_ms": 2500},
    )
    for line in ("Good -- (interrupted)", "(goes on)", "no such host", "bad: worse", "2.5 s"):
        assert line in text


def test_a_waterfall_has_the_stages_that_there_were():
    assert waterfall({"sent": 3, "token": 1}) == "token 1 ms  sent 3 ms"
