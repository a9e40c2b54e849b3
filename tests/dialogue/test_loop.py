"""The loop of a dialogue: turns, interruptions, and what of a reply was heard."""

import pytest

from speech.dialogue.actions import (
    Ask,
    Continued,
    Drop,
    Held,
    Replied,
    ReplyBegun,
    ReplyFailed,
    Sound,
    Truncated,
    TurnReopened,
    TurnTaken,
)
from speech.dialogue.answers.answerer import ChatMessage, TextPiece, ToolCall
from speech.dialogue.settings import DialogueSettings
from speech.dialogue.turns import TurnRules
from speech.events import SpeechEvent
from tests.dialogue.talk import RATE, WORD_S, Talk, endpoint, transcript


def texts(talk: Talk) -> list[tuple[str, str]]:
    return [(one.role, one.text) for one in talk.dialogue.voice.history.messages()]


def test_a_turn_is_answered_after_the_pause_and_not_before() -> None:
    talk = Talk()
    talk.says("hello there")
    assert len(talk.of(Ask)) == 1  # the answer is prepared
    assert not talk.of(TurnTaken)
    talk.wait(0.2)
    assert not talk.of(TurnTaken)
    talk.wait(0.1)
    assert talk.of(TurnTaken)
    assert talk.of(ReplyBegun)
    assert talk.when(ReplyBegun) - 1.0 == pytest.approx(0.5, abs=0.03)
    talk.wait(2.0)
    assert texts(talk) == [("user", "hello there"), ("assistant", "You said hello there")]
    assert [one.text for one in talk.of(Replied) if isinstance(one, Replied)] == ["You said hello there"]
    assert len(talk.sounds) == round(4 * WORD_S * RATE)
    *others, last = [one.last for one in talk.of(Sound) if isinstance(one, Sound)]
    assert last
    assert others
    assert not any(others)


def test_a_sure_end_is_answered_sooner_and_a_doubtful_one_later() -> None:
    begins = {}
    settings = DialogueSettings(rules=TurnRules(sure=0.9, doubtful=0.1, sure_pause_s=0.25, doubtful_pause_s=1.25))
    for probability in (0.9, 0.5, 0.1):
        talk = Talk(judged=lambda text, language, heard, chance=probability: chance, settings=settings)
        talk.says("hello")
        talk.wait(2.0)
        begins[probability] = talk.when(ReplyBegun) - 1.0
    assert begins[0.9] == pytest.approx(0.26, abs=0.03)
    assert begins[0.5] == pytest.approx(0.75, abs=0.03)
    assert begins[0.1] == pytest.approx(1.25, abs=0.03)


def test_somebody_who_goes_on_within_the_pause_is_answered_once_for_all_of_it() -> None:
    talk = Talk()
    talk.says("well", 0.5)
    talk.wait(0.1)
    talk.says("I think so", 0.5)
    talk.wait(2.5)
    asked = [one for one in talk.of(Ask) if isinstance(one, Ask)]
    assert [one.messages[-1].text for one in asked] == ["well", "well I think so"]
    assert [one.reply for one in talk.of(Drop)] == [0]
    assert len(talk.of(TurnTaken)) == len(talk.of(Replied)) == 1


def test_noise_within_the_pause_neither_ends_nor_changes_the_turn() -> None:
    talk = Talk()
    talk.says("hello")
    talk.starts()
    talk.wait(0.3)
    assert not talk.of(TurnTaken)
    talk.stops("")
    talk.wait(1.0)
    assert [one.turn.text for one in talk.of(TurnTaken) if isinstance(one, TurnTaken) and one.turn] == ["hello"]
    assert len(talk.of(Ask)) == 1


def test_silence_and_noise_alone_ask_nothing() -> None:
    talk = Talk()
    talk.wait(3.0)
    talk.starts()
    talk.wait(1.0)
    talk.stops("")
    talk.wait(3.0)
    assert not talk.actions


def replying(*, lead_s: float = 0.2, words: int = 10) -> Talk:
    """A talk in which a long reply has been heard for about a second."""
    answer = " ".join(f"word{number}" for number in range(words))
    talk = Talk(lambda said: [TextPiece(answer)], settings=DialogueSettings(lead_s=lead_s))
    talk.says("tell me")
    talk.wait(0.24 + 1.0)
    assert talk.of(ReplyBegun)
    return talk


def test_speech_over_our_voice_makes_it_wait_at_once() -> None:
    talk = replying()
    sent = len(talk.sounds)
    talk.starts()
    assert len(talk.of(Held)) == 1
    talk.wait(0.5)
    assert len(talk.sounds) == sent
    assert not talk.of(Truncated)


def test_words_over_our_voice_end_the_reply_at_the_word_that_was_heard() -> None:
    talk = replying()
    begun_s, interrupted_s = talk.when(ReplyBegun), talk.now
    talk.starts()
    talk.wait(0.3)
    talk.hear(transcript("would you stop please", final=False, segment=1))
    (cut,) = (one for one in talk.of(Truncated) if isinstance(one, Truncated))
    heard = round((interrupted_s - begun_s) / WORD_S)  # a word counts from its middle on
    assert cut.text == " ".join(f"word{number}" for number in range(heard))
    assert texts(talk)[-1] == ("assistant", cut.text)
    talk.stops("would you stop please")
    talk.wait(1.0)
    assert texts(talk)[-1] == ("user", "would you stop please")
    assert len(talk.of(TurnTaken)) == 2


@pytest.mark.parametrize(("meanwhile", "said", "ends"), [("ham", "Mhm.", False), ("mhm", "Stop.", True)])
def test_a_single_word_is_judged_by_its_final_text(meanwhile: str, said: str, ends: bool) -> None:
    talk = replying()
    talk.starts()
    talk.wait(0.3)
    talk.hear(transcript(meanwhile, final=False, segment=1))
    assert talk.of(Held)
    assert not talk.of(Truncated)
    talk.stops(said)
    assert bool(talk.of(Truncated)) == ends
    talk.wait(0.5)
    assert bool(talk.of(Continued)) != ends


@pytest.mark.parametrize("said", ["Mhm.", ""])
def test_listening_sounds_and_noise_let_it_go_on_with_the_same_word(said: str) -> None:
    talk = replying()
    talk.starts()
    talk.wait(0.3)
    if said:
        talk.hear(transcript("mhm", final=False, segment=1))
    talk.stops(said)
    talk.wait(0.5)
    assert talk.of(Continued)
    assert not talk.of(Truncated)
    talk.wait(5.0)
    assert texts(talk) == [("user", "tell me"), ("assistant", " ".join(f"word{n}" for n in range(10)))]
    assert len(talk.sounds) >= round(10 * WORD_S * RATE)
    assert len(talk.of(TurnTaken)) == 1


def test_words_that_may_be_listening_wait_for_what_follows_and_are_judged_with_it() -> None:
    talk = replying(words=20)
    talk.starts()
    talk.wait(0.3)
    talk.stops("mhm")
    talk.wait(0.1)
    assert not talk.of(Continued)
    talk.starts()
    talk.wait(0.3)
    assert not talk.of(Truncated)
    talk.stops("wait")
    assert talk.of(Truncated)
    assert len(talk.of(Held)) == 1
    talk.wait(3.0)
    asked = [one for one in talk.of(Ask) if isinstance(one, Ask)]
    assert asked[-1].messages[-1].text == "wait"


def test_long_noise_stops_our_voice_only_for_a_while_and_words_in_it_end_the_reply() -> None:
    talk = replying(words=20)
    talk.starts()
    talk.wait(1.4)
    assert not talk.of(Continued)
    talk.wait(0.2)
    assert talk.of(Continued)
    talk.hear(transcript("excuse me", final=False, segment=1))
    assert talk.of(Truncated)


def test_somebody_who_goes_on_before_anything_was_heard_had_not_finished() -> None:
    talk = Talk()
    talk.says("I would like")
    talk.dialogue.voice.listened_to(100 + talk.now, there=False)  # nothing is heard
    talk.wait(0.4)
    assert talk.of(TurnTaken)
    talk.starts()
    talk.hear(transcript("a large coffee", final=False, segment=1))
    assert talk.of(TurnReopened)
    assert not talk.of(Truncated)
    talk.dialogue.voice.listened_to(100 + talk.now, there=True)
    talk.stops("a large coffee")
    talk.wait(3.0)
    assert texts(talk)[0] == ("user", "I would like a large coffee")


def test_nothing_is_played_to_nobody_and_it_goes_on_for_who_comes_back() -> None:
    talk = replying()
    sent = len(talk.sounds)
    talk.dialogue.voice.listened_to(100 + talk.now, there=False)
    talk.wait(3.0)
    assert len(talk.sounds) == sent
    assert not talk.of(Replied)
    talk.dialogue.voice.listened_to(100 + talk.now, there=True)
    talk.wait(5.0)
    assert talk.of(Replied)


def test_functions_are_called_when_the_reply_is_over_and_their_results_answered() -> None:
    call = ToolCall("a", "weather", "{}")
    parts = iter([[TextPiece("Let me see."), call], [TextPiece("It rains.")]])
    talk = Talk(lambda said: next(parts))
    talk.says("how is the weather")
    talk.wait(3.0)
    (replied,) = (one for one in talk.of(Replied) if isinstance(one, Replied))
    assert replied.calls == (call,)
    talk.dialogue.voice.history.add(ChatMessage("tool", "rain", tool_call_id="a"))
    talk.dialogue.respond(100 + talk.now)
    talk.wait(3.0)
    assert [role for role, _ in texts(talk)] == ["user", "assistant", "tool", "assistant"]


def test_without_automatic_turns_replies_come_when_asked_for_only() -> None:
    talk = Talk(settings=DialogueSettings(automatic=False))
    talk.says("hello")
    talk.wait(3.0)
    assert not talk.actions
    talk.dialogue.respond(100 + talk.now)
    talk.wait(0.1)
    talk.starts()
    talk.wait(0.2)
    assert talk.of(ReplyBegun)
    assert not talk.of(Held)
    talk.dialogue.cancel(100 + talk.now)
    talk.wait(0.1)
    assert talk.of(Truncated)


def test_a_failed_answer_is_told_once_the_turn_is_over() -> None:
    talk = Talk(lambda said: [])
    talk.says("hello")
    talk.dialogue.voice.failed(0, "no such host")
    talk.wait(0.1)
    assert not talk.of(ReplyFailed)
    talk.wait(1.0)
    assert [one.why for one in talk.of(ReplyFailed) if isinstance(one, ReplyFailed)] == ["no such host"]


def test_a_long_turn_that_was_cut_for_its_length_is_one() -> None:
    talk = Talk()
    talk.starts()
    talk.wait(16.0)
    talk.hear(endpoint(16.0, "max_length"), transcript("one two", final=True, reason="max_length"))
    talk.wait(1.0)
    assert not talk.of(Ask)
    talk.stops("three")
    talk.wait(1.0)
    (taken,) = (one for one in talk.of(TurnTaken) if isinstance(one, TurnTaken))
    assert taken.turn is not None
    assert taken.turn.text == "one two three"


def test_stages_count_from_the_last_speech() -> None:
    talk = Talk()
    talk.says("hello")
    talk.wait(1.0)
    (begun,) = (one for one in talk.of(ReplyBegun) if isinstance(one, ReplyBegun))
    stages = begun.stages.to_dict()
    assert stages["final"] == stages["token"] == stages["sample"] == 260
    assert stages["endpoint"] == stages["sent"] == pytest.approx(500, abs=25)


def test_late_events_of_dropped_replies_are_ignored() -> None:
    talk = replying()
    talk.dialogue.cancel(100 + talk.now)
    before = len(talk.actions)
    talk.dialogue.voice.answered(0, TextPiece("more"), 100 + talk.now)
    talk.dialogue.voice.answer_ended(0)
    talk.dialogue.voice.speech_ended(0)
    talk.dialogue.voice.failed(0, "late")
    talk.hear(SpeechEvent(started=False, at_s=talk.now))
    talk.wait(1.0)
    kinds = {type(action) for _, action in talk.actions[before:]}
    assert kinds <= {Drop, Truncated}


def test_a_reply_that_may_not_be_interrupted_is_heard_to_its_end_and_what_was_said_over_it_is_answered() -> None:
    answers = iter(["one two three four five six", "seven"])
    settings = DialogueSettings(interruptible=False)
    talk = Talk(lambda said: [TextPiece(next(answers))], settings=settings)
    talk.says("tell me")
    talk.wait(0.6)
    talk.says("and more", 0.4)
    talk.wait(3.0)
    assert not talk.of(Held)
    assert not talk.of(Truncated)
    assert [one.text for one in talk.of(Replied) if isinstance(one, Replied)] == [
        "one two three four five six", "seven",
    ]  # fmt: skip
    assert [one.turn.text for one in talk.of(TurnTaken) if isinstance(one, TurnTaken) and one.turn] == [
        "tell me", "and more",
    ]  # fmt: skip


def test_where_replies_are_asked_for_speech_may_interrupt_them_all_the_same() -> None:
    answer = " ".join(["word"] * 10)
    talk = Talk(lambda said: [TextPiece(answer)], settings=DialogueSettings(automatic=False, interruptible=True))
    talk.says("tell me")
    talk.dialogue.respond(100 + talk.now)
    talk.wait(1.0)
    talk.says("stop", 0.4)
    talk.wait(2.0)
    assert len(talk.of(Truncated)) == 1
    assert len(talk.of(TurnTaken)) == 1
    talk.dialogue.respond(100 + talk.now)
    talk.wait(1.0)
    assert texts(talk)[-1] == ("user", "stop")


def test_what_is_forgotten_is_not_answered() -> None:
    talk = Talk(settings=DialogueSettings(automatic=False))
    for text, keep in (("one", True), ("two", False), ("three", True)):
        talk.hear(transcript(text, final=True, reason="client"))
        talk.dialogue.keep_said(keep=keep)
    talk.dialogue.respond(100 + talk.now)
    talk.wait(0.1)
    assert texts(talk) == [("user", "one three")]


def test_what_was_said_before_what_is_forgotten_is_answered() -> None:
    talk = Talk()
    talk.says("hello")
    talk.starts()
    no = transcript("no", final=True, reason="client")
    talk.hear(SpeechEvent(started=False, at_s=talk.now), endpoint(talk.now, "client"), no)
    talk.dialogue.keep_said(keep=False)
    talk.wait(2.0)
    assert [one.turn.text for one in talk.of(TurnTaken) if isinstance(one, TurnTaken) and one.turn] == ["hello"]
