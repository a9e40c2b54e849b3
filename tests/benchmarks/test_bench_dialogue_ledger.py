"""The ledger sees each fault that it counts, and none in dialogues that go well."""

from typing import Any

import pytest
from dialogue_ledger import HANG_S, Counts, Ledger

Event = dict[str, Any]
RATE = 1000


def final(text: str) -> Event:
    return {"type": "transcript", "is_final": True, "text": text}


def turn(reply: int, text: str, end_ms: int) -> Event:
    return {"type": "turn", "reply": reply, "text": text, "speech_end_ms": end_ms}


def started(reply: int) -> Event:
    return {"type": "reply_started", "reply": reply, "sample_rate": RATE, "stages": {"sent": 600}}


def audio(reply: int, start_ms: int, length_ms: int = 100) -> Event:
    return {"type": "reply_audio", "reply": reply, "start_ms": start_ms, "pcm": bytes(2 * length_ms)}


def done(reply: int, text: str = "one") -> Event:
    return {"type": "reply_done", "reply": reply, "text": text}


ASKED = [final("one"), turn(0, "one", 500), started(0)]
WELL = [*ASKED, audio(0, 0), audio(0, 100), done(0)]


def counted(events: list[Event | str], *, last_s: float = 1.0) -> Counts:
    counts = Counts()
    ledger = Ledger(counts)
    for number, event in enumerate(events):
        if isinstance(event, str):
            ledger.cut_off()
        else:
            ledger.take(event, number / 1000)
    ledger.look(last_s)
    return counts


@pytest.mark.parametrize(
    "events",
    [
        WELL,
        [final("one"), turn(0, "one", 500), {"type": "turn_reopened", "reply": 0}, final("two"),
         turn(1, "one two", 900), started(1), audio(1, 0), done(1)],
        [*ASKED, audio(0, 0), {"type": "reply_held", "reply": 0, "played_ms": 60},
         {"type": "reply_resumed", "reply": 0}, audio(0, 60), audio(0, 160), done(0)],
        [*ASKED, audio(0, 0), "cut", audio(0, 100), audio(0, 120), audio(0, 220), done(0)],
        [*WELL, final("okay"), final("two"), turn(1, "two", 900), started(1), audio(1, 0), done(1)],
    ],
    ids=["answered", "reopened", "held", "connection lost", "listening words"],
)  # fmt: skip
def test_nothing_is_found_in_dialogues_that_go_well(events):
    counts = counted(events)
    assert counts.notes == []
    assert counts.totals["done"] == counts.totals["answered"] > 0


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        ([*ASKED, audio(0, 0), audio(0, 200)], "left_out"),
        ([*ASKED, audio(0, 0), audio(0, 50)], "given_twice"),
        ([*ASKED, audio(0, 0), "cut", audio(0, 40), audio(0, 60)], "given_twice"),
        ([*WELL, turn(1, "one", 500), started(1), audio(1, 0), done(1)], "answered_twice"),
        ([*WELL, turn(1, "one", 900)], "words_not_said"),
        ([*WELL, done(0)], "ended_twice"),
        ([*WELL, audio(0, 200)], "said_after_its_end"),
        ([*ASKED, done(0)], "silent_replies"),
        ([*ASKED, {"type": "reply_failed", "reply": 0, "message": "no voice"}], "failures"),
        ([{**final("one"), "seq": 4}, {**final("two"), "seq": 6}], "messages_lost"),
        ([*ASKED, final("two"), turn(1, "two", 900)], "turns_over_a_reply"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_faults_are_found(events, fault):
    counts = counted(events)
    assert counts.totals[fault] == 1
    assert len(counts.notes) >= 1


def test_a_reply_of_which_nothing_comes_hangs_once():
    assert counted(ASKED, last_s=HANG_S - 1).totals["hangs"] == 0
    assert counted([*ASKED, audio(0, 0)], last_s=HANG_S + 1).totals["hangs"] == 1


def test_a_reply_that_goes_on_for_long_is_slow_and_does_not_hang():
    counts = Counts()
    ledger = Ledger(counts)
    for number, event in enumerate(ASKED):
        ledger.take(event, number / 1000)
    for second in range(1, 40):
        ledger.take(audio(0, 1000 * (second - 1), 1000), second)
    assert (counts.totals["slow"], counts.totals["hangs"]) == (1, 0)
