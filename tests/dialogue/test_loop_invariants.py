"""Whatever happens in which order: each reply begins and ends once, and our voice is silent where it has to be."""

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st

from speech.dialogue.actions import (
    Continued,
    Held,
    Replied,
    ReplyBegun,
    ReplyFailed,
    Sound,
    Truncated,
    TurnReopened,
    TurnTaken,
)
from speech.dialogue.answers.answerer import TextPiece
from tests.dialogue.talk import Talk, transcript

_ENDS = (Truncated, Replied, ReplyFailed, TurnReopened)
_STEPS = st.one_of(
    st.tuples(st.just("wait"), st.floats(0.02, 1.5)),
    st.tuples(st.sampled_from(["says", "mumbles", "noise"]), st.floats(0.1, 1.2)),
    st.tuples(st.sampled_from(["partial", "cancel", "respond", "away", "back", "fail"]), st.just(0.0)),
)


def run(steps: Sequence[tuple[str, float]]) -> Talk:
    """A talk in which all this happens."""
    talk, count = Talk(lambda said: [TextPiece(f"{said} indeed it is")]), 0
    for what, seconds in steps:
        now = 100 + talk.now
        if what == "wait":
            talk.wait(seconds)
        elif what in ("says", "mumbles", "noise"):
            count += what == "says"
            talk.says({"says": f"word{count}", "mumbles": "mhm", "noise": ""}[what], seconds)
        elif what == "partial":
            talk.starts()
            talk.hear(transcript("but", final=False, segment=count))
            talk.stops("but")
        elif what == "cancel":
            talk.dialogue.cancel(now)
        elif what == "respond":
            talk.dialogue.respond(now)
        elif what == "fail":
            talk.dialogue.voice.failed(len(talk.actions), "no")
        else:
            talk.dialogue.voice.listened_to(now, there=what == "back")
        talk.wait(0.02)
    talk.dialogue.voice.listened_to(100 + talk.now, there=True)
    talk.says("", 0.2)
    talk.wait(30.0)
    return talk


@given(st.lists(_STEPS, max_size=14))
@settings(max_examples=150, deadline=None)
def test_replies_begin_and_end_once_and_held_ones_are_silent(steps):
    talk = run(steps)
    taken, ended, held = set[int](), set[int](), set[int]()
    for _, action in talk.actions:
        number = action.reply
        if isinstance(action, TurnTaken):
            assert taken == ended  # the one before is over
            assert number not in taken
            taken.add(number)
        elif isinstance(action, _ENDS):
            assert number in taken - ended
            ended.add(number)
        elif isinstance(action, Sound | ReplyBegun):
            assert number in taken - ended - held
        elif isinstance(action, Held):
            assert number in taken - ended - held
            held.add(number)
        elif isinstance(action, Continued):
            held.remove(number)
    assert taken == ended


@given(st.lists(_STEPS, max_size=14))
@example([("says", 1.0), ("wait", 0.5), ("says", 1.0), ("away", 0.0), ("wait", 1.0)])
@settings(max_examples=100, deadline=None)
def test_all_that_was_said_is_in_the_history_once(steps):
    talk = run([*steps, ("says", 0.5), ("wait", 1.0)])
    history = talk.dialogue.voice.history.messages()
    user = " ".join(message.text for message in history if message.role == "user").split()
    words = [word for word in user if word.startswith("word")]
    said = sum(what == "says" for what, _ in steps) + 1
    assert words == [f"word{number + 1}" for number in range(said)]
