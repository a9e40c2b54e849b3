"""A session without sockets and without a model: what it answers, what work it makes, what it keeps for a resume."""

import json

import numpy as np
import pytest

from serve.protocols import wire
from serve.sessions.live import LiveSession
from serve.sessions.options import Refused
from speech.errors import ConfigError
from speech.events import EndpointEvent, Event, SpeechEvent, TranscriptEvent
from speech.stream.commands import Change, Done, Finish, Flush, Push
from speech.transcript import Word
from tests.serve.conftest import audio, facts

FACTS = facts(max_session_s=10.0)
SECOND = b"\0\0" * 16_000


def session(**start: object) -> LiveSession:
    return LiveSession(FACTS, wire.StartMessage(**start), 0.0)


def taken(live: LiveSession) -> list[dict]:
    return [
        json.loads(text) for (text,) in iter(lambda: live.outbox.take(lambda message: [wire.render(message)]), None)
    ]


def kinds(live: LiveSession) -> list[str]:
    return [message["type"] for message in taken(live)]


def said(text: str, stable: int, rev: int, final: bool = False, end_s: float = 1.0) -> TranscriptEvent:
    words = tuple(Word(w, 0.1 * n, 0.1 * n + 0.1, 0.9, "eng") for n, w in enumerate(text.split()))
    return TranscriptEvent(
        segment=0, revision=rev, is_final=final, text=text, stable=len(words) if final else stable, words=words,
        start_s=0.0, end_s=end_s, audio_s=end_s,
    )  # fmt: skip


def worked(live: LiveSession, *events: Event, done: tuple[Done, ...] = (), at: float = 0.0) -> None:
    live.worked(list(events), list(done), at, 0.01, 0.1)


def test_a_session_says_what_it_runs_with():
    started = taken(session(languages=["en", "German"], audio=wire.AudioParams(sample_rate=8000)))[0]
    assert started["type"] == "started"
    assert started["seq"] == 1
    assert started["languages"] == ["eng", "deu"]
    assert started["audio"] == {"encoding": "pcm_s16le", "sample_rate": 8000, "channels": 1}
    assert started["limits"]["max_session_ms"] == 10_000


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ({"languages": ["xx-unknown"]}, "unknown_language"),
        ({"languages": ["fra"]}, "unknown_language"),
        ({"targets": ["deu"]}, "unknown_language"),
        ({"model": "another"}, "unknown_model"),
    ],
)
def test_what_the_server_does_not_have_is_refused(start, code):
    with pytest.raises(Refused) as caught:
        session(**start)
    assert caught.value.code == code
    assert caught.value.close == wire.CloseCode.bad_config


def test_audio_becomes_work_and_is_acknowledged():
    live = session()
    audio(live, SECOND, 0.1)
    assert [type(work) for work in live.requests.work] == [Push]
    assert len(live.requests.work[0].samples) == 16_000
    worked(live, at=1.0)
    ack = taken(live)[-1]
    assert (ack["type"], ack["received_bytes"], ack["processed_ms"], ack["lag_ms"]) == ("ack", 32_000, 1000, 0)


def test_every_message_is_answered():
    live = session()
    taken(live)
    live.receive(wire.KeepAlive(), 1.0)
    live.receive(wire.StartMessage(), 1.0)
    live.receive(wire.Update(languages=["fra"]), 1.0)
    assert [(m["type"], m.get("code")) for m in taken(live)] == [
        ("alive", None), ("error", "already_started"), ("error", "unknown_language"),
    ]  # fmt: skip
    assert not live.ended
    live.receive(wire.Update(languages=["spa"]), 1.0)
    live.receive(wire.Finalize(id="x"), 1.0)
    live.receive(wire.Stop(), 1.0)
    assert [type(work) for work in live.requests.work] == [Change, Flush, Finish]
    worked(live, done=tuple(Done(work, 0.5) for work in live.requests.work), at=0.5)
    assert [(m["type"], m.get("id")) for m in taken(live)][-3:] == [
        ("updated", None),
        ("finalized", "x"),
        ("end", None),
    ]
    assert live.ending.closing == (wire.CloseCode.done, "done")


def test_an_update_that_is_refused_changes_nothing():
    live = session(languages=["eng"])
    live.receive(wire.Update(languages=["fra"], interim="append"), 1.0)
    assert live.requests.options.languages == ("eng",)
    assert live.events.transcripts.interim == "revisable"
    assert not live.requests.work


def test_misaligned_audio_ends_the_session_and_says_why():
    live = session()
    audio(live, b"\0\0\0", 0.1)
    assert live.ended
    assert live.ending.closing is not None
    assert live.ending.closing[0] == wire.CloseCode.bad_audio
    error = taken(live)[-1]
    assert (error["type"], error["fatal"]) == ("error", True)


def test_an_empty_frame_is_stop_and_nothing_may_follow():
    live = session()
    audio(live, b"", 0.1)
    assert isinstance(live.requests.work[-1], Finish)
    audio(live, SECOND, 0.2)
    assert taken(live)[-1]["code"] == "after_stop"


def test_a_session_that_is_too_long_is_stopped_with_its_finals():
    live = session()
    for _ in range(11):
        audio(live, SECOND, 0.1)
    assert isinstance(live.requests.work[-1], Finish)
    assert "warning" in kinds(live)


def test_an_idle_session_is_ended_and_keepalive_helps():
    live = session()
    live.receive(wire.KeepAlive(), 50.0)
    live.tick(100.0)
    assert not live.ended
    live.tick(111.0)
    assert live.ending.closing is not None
    assert live.ending.closing[0] == wire.CloseCode.idle


def test_a_client_that_was_asked_to_wait_is_not_idle():
    live = session()
    for _ in range(6):
        audio(live, SECOND, 0.1)
    assert live.full
    live.tick(1000.0)
    assert not live.ended


def test_too_much_audio_pauses_the_client_until_half_of_it_is_done():
    live = session()
    for _ in range(6):
        audio(live, SECOND, 0.1)
    assert live.full
    worked(live, at=2.0)
    assert live.full
    worked(live, at=4.0)
    assert not live.full
    assert [m["state"] for m in taken(live) if m["type"] == "flow"] == ["pause", "resume"]


def test_append_mode_says_only_what_is_stable_and_joins_to_the_text():
    live = session(interim="append")
    taken(live)
    worked(live, said("hello", 0, 0), said("hello there you", 2, 1))
    shown = [m for m in taken(live) if m["type"] == "transcript"]
    assert [(m["delta"], "text" in m) for m in shown] == [("hello there", False)]
    assert [w["text"] for w in shown[0]["words"]] == ["hello", "there"]
    worked(live, said("hello there thou art", 0, 2, final=True))
    last = [m for m in taken(live) if m["type"] == "transcript"][-1]
    assert (last["delta"], last["text"]) == (" thou art", "hello there thou art")


def test_deltas_of_a_segment_do_not_depend_on_the_mode_of_the_one_before():
    live = session(interim="append")
    worked(live, said("hello there you", 2, 0))
    live.receive(wire.Update(interim="revisable"), 1.0)
    worked(live, said("hello there you", 0, 1, final=True))
    live.receive(wire.Update(interim="append"), 1.0)
    taken(live)
    worked(live, said("a b c", 0, 0, final=True))
    assert [m["delta"] for m in taken(live) if m["type"] == "transcript"] == ["a b c"]


def test_a_client_that_may_go_on_has_time_to_do_so():
    live = session()
    for _ in range(6):
        audio(live, SECOND, 0.1)
    assert live.full
    live.worked([], [], 6.0, 0.1, 100.0)
    live.tick(101.0)
    assert not live.ended


@pytest.mark.parametrize(("now", "code"), [(1.0, "too_fast"), (40.0, "overloaded")])
def test_a_session_that_stays_full_says_whose_fault_it_is(now, code):
    live = session()
    for _ in range(7):
        audio(live, SECOND, 0.1)
    assert live.full
    live.ending.stalled(too_fast=live.flow.too_fast(now))
    assert [message["code"] for message in taken(live) if message["type"] == "error"] == [code]
    assert live.ending.closing is not None
    assert live.ending.closing[0] == getattr(wire.CloseCode, code)


def test_nothing_follows_the_end():
    live = session()
    live.receive(wire.Stop(), 0.1)
    live.receive(wire.Stop(), 0.1)  # said again, answered once
    audio(live, b"", 0.1)
    worked(live, done=(Done(live.requests.work.popleft(), 0.0),))
    live.outbox.put(wire.GoAway(seq=1, in_ms=1000, reason="shutdown"))
    live.receive(wire.KeepAlive(), 0.2)
    audio(live, SECOND, 0.2)
    live.ending.fail("too_fast", "late", wire.CloseCode.too_fast)
    live.refuse("late", "late")
    live.ending.crashed()
    live.tick(1000.0)
    assert kinds(live) == ["started", "end"]
    assert live.ending.closing == (wire.CloseCode.done, "done")
    assert not live.requests.work


def test_voice_events_and_words_can_be_left_out():
    live = session(vad_events=False, words=False)
    taken(live)
    worked(live, SpeechEvent(started=True, at_s=0.1), said("a", 0, 0))
    messages = [m for m in taken(live) if m["type"] != "ack"]
    assert [m["type"] for m in messages] == ["transcript"]
    assert "words" not in messages[0]


def test_a_client_that_comes_back_hears_what_it_missed_and_where_to_go_on():
    live = session()
    started = taken(live)[0]
    audio(live, SECOND, 0.1)
    worked(live, said("a b", 0, 0, final=True), at=1.0)
    missed = taken(live)
    with pytest.raises(Refused):
        live.resume("wrong", 1, 0.2)
    texts = [json.loads(text) for text in live.resume(started["resume_token"], 1, 0.2)]
    assert texts[0]["type"] == "resumed"
    assert texts[0]["received_bytes"] == 32_000
    assert texts[1:] == missed
    again = [json.loads(text) for text in live.resume(started["resume_token"], 1, 0.3)]  # its answer was lost
    assert again[0]["resume_token"] == live.presence.token != texts[0]["resume_token"]
    live.receive(wire.KeepAlive(), 0.3)
    with pytest.raises(Refused):  # a token is good for one resume
        live.resume(started["resume_token"], 1, 0.3)
    with pytest.raises(Refused) as caught:
        live.resume(live.presence.token, 99, 0.3)
    assert caught.value.code == "resume_gap"


def test_the_end_sums_up_how_quick_it_was():
    live = session()
    audio(live, SECOND + SECOND, 0.1)
    live.stop("client")
    events = [
        said("a c", 0, 0, end_s=1.5),
        said("a b", 0, 1, end_s=1.8),
        EndpointEvent(at_s=1.8, speech_end_s=1.6, decided_s=2.0, reason="silence"),
        said("a b", 2, 2, final=True, end_s=1.8),
    ]
    worked(live, *events, done=(Done(Finish(), 2.0),), at=2.0)
    end = taken(live)[-1]
    assert end["latency"] == {
        "first_partial_ms": 500, "final_p50_ms": 400, "normalized_erasure": 0.5, "rtf": 0.005
    }  # fmt: skip
    assert (end["segments"], end["words"], end["audio_ms"]) == (1, 2, 2000)
    assert [what for what, _ in live.events.measured] == ["first_partial", "final"]


def test_a_crash_is_said_and_worth_another_try():
    live = session()
    live.ending.crashed()
    error = taken(live)[-1]
    assert (error["code"], error["retryable"]) == ("internal", True)
    assert live.ending.closing is not None
    assert live.ending.closing[0] == wire.CloseCode.internal


def test_samples_are_those_of_the_bytes():
    live = session()
    audio(live, np.array([0, 16384, -32768], "<i2").tobytes(), 0.0)
    assert live.requests.work[0].samples.tolist() == [0.0, 0.5, -1.0]


def test_an_update_that_the_stream_refuses_is_said_and_does_not_hold():
    live = session(languages=["eng"])
    taken(live)
    live.receive(wire.Update(languages=["spa"]), 1.0)
    change = live.requests.work.pop()
    worked(live, done=(Done(change, 1.0, ConfigError("its adapter has gone")),), at=1.0)
    assert [(m["type"], m.get("code")) for m in taken(live)][:1] == [("error", "bad_config")]
    assert live.requests.options.languages == ("eng",)
    assert not live.ended


def test_a_client_that_asks_more_than_is_answered_is_not_listened_to():
    live = session()
    for _ in range(64):
        assert not live.behind
        live.receive(wire.Finalize(), 1.0)
    assert live.behind
    worked(live, done=(Done(live.requests.work.popleft(), 0.0),))
    assert not live.behind


def test_the_same_sentence_of_a_reference_again_and_again_is_not_kept_without_end():
    live = session(reference=wire.ReferenceText(text="a b"))
    assert live.scoring.take()
    for _ in range(64):
        assert not live.behind
        live.receive(wire.Reference(text="a b", sentence=0), 1.0)
    assert live.behind
    live.ending.scored([])
    live.scoring.take()
    assert not live.behind


def test_without_scores_finals_are_not_kept_for_them():
    live = session(reference="a b")
    live.scoring.take()
    live.ending.scored(live.scoring.give_up())
    for rev in range(50):
        worked(live, said("a b", 2, rev, final=True))
    assert not live.scoring._tasks
    live.receive(wire.Reference(text="more"), 1.0)
    assert taken(live)[-1]["code"] == "score_failed"
