"""Parts of the page in a real browser, against their models in Python."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.data.texts import marked
from speech.text.normalize import plain_text
from speech.transcript import Transcript, Word
from tests.serve.conftest import Running

TEXTS = st.lists(st.sampled_from(["a. b", "O'Neil", "<tag a. b>", "ß,", "3.", "\n", "你好。你", "ДА!”"]), max_size=8)
WORDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "<b>", "wonderfully", "internationalisation", "你", "𠀀", "ー", "。", "x" * 50]),
        st.integers(0, 3000),
        st.integers(0, 2500),
    ),
    max_size=40,
)


@pytest.fixture(scope="module")
def modules(browser: Any, server: Running) -> Iterator[Any]:
    """A page to run its modules in."""
    page = browser.new_page()
    page.goto(server.http)
    yield page
    page.close()


SPLIT = "async text => (await import('/web/score_view.js')).sentences(text)"


@settings(max_examples=60, deadline=None)
@given(text=TEXTS.map(" ".join))
def test_sentences_of_a_reference_are_all_of_it(modules, text):
    found = modules.evaluate(SPLIT, text)
    assert plain_text(marked(" ".join(found))[0]) == plain_text(marked(text)[0])


def test_a_reference_is_cut_behind_sentences_and_not_within_marks(modules):
    text = "Good morning. It is 3.5 euros!\nSi, <tag claro. no> va…  你好。再见！“好。”走"
    assert modules.evaluate(SPLIT, text) == [
        "Good morning.", "It is 3.5 euros!", "Si, <tag claro. no> va…", "你好。", "再见！", "“好。”", "走",
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(drawn=WORDS)
def test_subtitles_are_those_of_the_library(modules, drawn):
    words, now = [], 0
    for text, pause, length in drawn:
        start, now = now + pause, now + pause + length
        language = "cmn" if text in "你𠀀ー。" else "eng"
        words.append(Word(text=text, start_s=start / 1000, end_s=now / 1000, confidence=1.0, language=language))
    transcript = Transcript("", "eng", 1.0, "asr", now / 1000, ())
    given_words = [
        {
            "text": w.text,
            "startMs": round(w.start_s * 1000),
            "endMs": round(w.end_s * 1000),
            "spaces": w.language == "eng",
        }
        for w in words
    ]
    script = "async words => { const m = await import('/web/subtitles.js'); return [m.toSrt(words), m.toVtt(words)]; }"
    said = replace(transcript, words=tuple(words))
    assert modules.evaluate(script, given_words) == [said.to_srt(), said.to_vtt()]


REPLAY = """
async (steps) => {
  const { Replay } = await import("/web/replay.js");
  const replay = new Replay();
  const received = []; // [position, "message"], and the number of bytes
  let bytes = 0, spoken = 0, wrong = 0;
  const onWire = [];
  const arrive = () => {
    const item = onWire.shift();
    if (typeof item === "string") received.push([bytes, JSON.parse(item).n]);
    else for (const byte of item ?? []) wrong += byte === bytes++ % 251 ? 0 : 1;
  };
  for (const [what, count] of steps) {
    if (what === "audio") replay.addAudio(Uint8Array.from({ length: count }, () => spoken++ % 251));
    else if (what === "message") replay.addMessage({ n: count });
    else if (what === "send") for (let n = 0, item; n < count && (item = replay.take(16)); n += 1) onWire.push(item);
    else if (what === "arrive") for (let n = 0; n < count; n += 1) arrive();
    else if (what === "ack") replay.acknowledge(bytes);
    else { onWire.length = 0; replay.rewind(bytes); }
  }
  for (let item; (item = replay.take(16)); ) onWire.push(item);
  while (onWire.length) arrive();
  replay.acknowledge(bytes);
  return { bytes, spoken, wrong, received, unsent: replay.unsent, kept: replay.kept };
}
"""


@settings(max_examples=100, deadline=None)
@given(
    kinds=st.lists(
        st.tuples(st.sampled_from(["audio", "audio", "message", "send", "arrive", "ack", "cut"]), st.integers(1, 50)),
        max_size=60,
    )
)
def test_replay_says_everything_once_and_in_its_place(modules, kinds):
    at, expected, steps = 0, [], []
    for what, count in kinds:
        if what == "message":
            count = len(expected)
            expected.append([at, count])
        at += count if what == "audio" else 0
        steps.append([what, count])
    found = modules.evaluate(REPLAY, steps)
    received = found.pop("received")
    assert found == {"bytes": at, "spoken": at, "wrong": 0, "unsent": 0, "kept": 0}
    unique = [item for n, item in enumerate(received) if item not in received[:n]]
    assert unique == expected  # a message may be said twice, at the same place of the audio


# Of dialogues


REPLY_WORDS = """
async ([text, ...packets]) => {
  const { ReplyWords } = await import("/web/reply_words.js");
  const words = new ReplyWords();
  words.add(text);
  for (const packet of packets) {
    words.say(packet.map(([text, start_ms, end_ms]) => ({ text, start_ms, end_ms })));
  }
  return words.pieces.map(({ text, startMs, endMs }) => (startMs === undefined ? text : [text, startMs, endMs]));
}
"""


@pytest.mark.parametrize(
    ("text", "words", "pieces"),
    [
        ("Hi, Ann.", [["hi", 0, 100], ["Ann", 100, 300]], [["Hi", 0, 100], ", ", ["Ann", 100, 300], "."]),
        (
            "It cost $5. A cat!",
            [["It", 0, 1], ["cost", 1, 2], ["five", 2, 3], ["dollars", 3, 4], ["A", 4, 5], ["cat", 5, 6]],
            [["It", 0, 1], " ", ["cost", 1, 2], " ", ["$5.", 2, 4], " ", ["A", 4, 5], " ", ["cat", 5, 6], "!"],
        ),
        ("a banana an", [["an", 0, 1]], ["a banana ", ["an", 0, 1]]),
        ("你好。", [["你", 0, 1], ["好", 1, 2]], [["你", 0, 1], ["好", 1, 2], "。"]),
        ("one", [["one", 0, 1], ["two", 1, 2]], [["one", 0, 2]]),
        ("", [["one", 0, 1]], []),
    ],
)
def test_words_of_the_voice_are_found_in_the_text(modules, text, words, pieces):
    assert modules.evaluate(REPLY_WORDS, [text, words]) == pieces


def test_a_word_that_is_said_again_is_there_once(modules):
    packets = [[["one", 0, 100], ["two", 100, 200], ["three", 200, 300]], [["two", 100, 220], ["three", 220, 320]]]
    expected = [["one", 0, 100], " ", ["two", 100, 220], " ", ["three", 220, 320]]
    assert modules.evaluate(REPLY_WORDS, ["one two three", *packets]) == expected


PLAYER = """
async (steps) => {
  let Player = null;
  globalThis.sampleRate = 1000;
  globalThis.AudioWorkletProcessor = class { port = { postMessage: (told) => found.told.push(told) }; };
  globalThis.registerProcessor = (_, made) => (Player = made);
  const found = { played: [], told: [] };
  await import(`/web/player-worklet.js?${crypto.randomUUID()}`);
  const player = new Player();
  for (const step of steps) {
    if (typeof step === "number") {
      const output = new Float32Array(step);
      player.process([], [[output]]);
      found.played.push(...output.map((sample) => Math.round(sample * 32768)));
    } else if (step === "silence") {
      player.port.onmessage({ data: { silence: true } });
    } else {
      const [reply, startMs, samples] = step;
      player.port.onmessage({ data: { reply, startMs, pcm: Int16Array.from(samples).buffer } });
    }
  }
  return found;
}
"""


def test_samples_are_played_in_order_and_then_there_is_silence(modules):
    found = modules.evaluate(PLAYER, [[0, 0, [1, 2, 3]], [0, 3, [4, 5]], 4, 4])
    assert found["played"] == [1, 2, 3, 4, 5, 0, 0, 0]
    assert found["told"][0] == {"reply": 0, "playedMs": 4, "sounds": True}
    assert found["told"][-1] == {"reply": 0, "playedMs": 5, "sounds": False}


def test_samples_that_come_again_replace_those_that_wait(modules):
    found = modules.evaluate(PLAYER, [[0, 0, [1, 2, 3, 4, 5, 6]], 2, [0, 3, [14, 15]], 8])
    assert found["played"] == [1, 2, 3, 14, 15, 0, 0, 0, 0, 0]
    again = modules.evaluate(PLAYER, [[0, 0, [1, 2, 3]], 3, [0, 1, [2, 3]], 3])
    assert again["played"] == [1, 2, 3, 2, 3, 0]  # they have been played: a word is said again


def test_silence_fades_within_milliseconds_and_drops_what_waits(modules):
    found = modules.evaluate(PLAYER, [[0, 0, [1000] * 100], 2, "silence", 6, [1, 0, [7]], 2])
    assert found["played"] == [1000, 1000, 750, 500, 250, 0, 0, 0, 7, 0]
    assert {"reply": 0, "playedMs": 2, "sounds": False} in found["told"]


def test_the_next_reply_follows_the_one_before(modules):
    found = modules.evaluate(PLAYER, [[0, 0, [1, 2]], [1, 0, [3, 4]], 5])
    assert found["played"] == [1, 2, 3, 4, 0]


TALK = """
async (events) => {
  const { Talk } = await import("/web/talk.js");
  const { TalkView } = await import("/web/talk_view.js");
  const { ReplyPlayer } = await import("/web/reply_player.js");
  const made = (name) => document.createElement(name);
  const found = { player: [], errors: [] };
  ReplyPlayer.prototype.open = async () => {};
  ReplyPlayer.prototype.push = (reply, startMs) => found.player.push([reply, startMs]);
  ReplyPlayer.prototype.silence = () => found.player.push("silence");
  const parts = { list: made("ol"), legend: made("ul"), you: made("li"), speech: made("li") };
  const talk = new Talk(new TalkView(parts, () => ({ tag: "en" })), (text, exact) => found.errors.push(exact));
  for (const event of events) talk.take(event);
  found.turns = [...parts.list.children].map((item) => {
    const state = item.classList.contains("aside") ? "aside" : (item.dataset.state ?? "");
    return [item.classList[0], state, item.querySelector(".text").textContent];
  });
  found.you = parts.you.classList.contains("on");
  return found;
}
"""


def transcript(segment: int, text: str, *, final: bool = True, stable: int = 0) -> dict[str, Any]:
    words = [{"text": word} for word in text.split()]
    return {
        "type": "transcript", "segment": segment, "text": text, "words": words, "stable": stable, "is_final": final,
        "languages": [],
    }  # fmt: skip


def turn(reply: int, text: str) -> dict[str, Any]:
    return {"type": "turn", "reply": reply, "text": text, "language": "eng"}


def reply_text(reply: int, text: str) -> dict[str, Any]:
    return {"type": "reply_text", "reply": reply, "delta": text}


def audio(reply: int, start_ms: int) -> dict[str, Any]:
    return {"type": "reply_audio", "reply": reply, "start_ms": start_ms, "words": []}


def started(reply: int) -> dict[str, Any]:
    return {"type": "reply_started", "reply": reply, "sample_rate": 24000, "stages": {"sent": 1}}


def of(kind: str, reply: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "reply": reply, **fields}


def test_a_turn_that_goes_on_is_one_turn(modules):
    reopened = [turn(0, "One"), transcript(1, "two", final=False), of("turn_reopened", 0), transcript(1, "two.")]
    found = modules.evaluate(TALK, [transcript(0, "One"), *reopened, turn(1, "One two."), reply_text(1, "Yes.")])
    assert found["turns"] == [["you", "", "One two."], ["speech", "waiting", "Yes."]]


def test_a_reply_that_is_held_is_silent_and_goes_on_after_a_sign_of_listening(modules):
    begun = [transcript(0, "Hello."), turn(0, "Hello."), reply_text(0, "A reply."), started(0), audio(0, 0)]
    held = modules.evaluate(TALK, [*begun, {"type": "speech_started"}, of("reply_held", 0, played_ms=100)])
    assert held["player"] == [[0, 0], "silence"]
    assert held["turns"][1] == ["speech", "held", "A reply."]
    assert held["you"] is True
    heard = [of("reply_held", 0), transcript(1, "Mhm."), of("reply_resumed", 0), audio(0, 80), of("reply_done", 0)]
    found = modules.evaluate(TALK, [*begun, *heard, transcript(1, "Mhm."), transcript(2, "More?")])
    assert found["player"] == [[0, 0], "silence", [0, 80]]
    assert found["turns"][1:] == [["speech", "done", "A reply."], ["you", "aside", "Mhm."], ["you", "", "More?"]]


def test_a_reply_that_is_cut_is_silent_and_one_that_fails_says_why(modules):
    begun = [turn(0, "Hello."), reply_text(0, "A long reply."), started(0), audio(0, 0)]
    found = modules.evaluate(TALK, [*begun, of("reply_truncated", 0, text="A long", played_ms=300)])
    assert found["player"] == [[0, 0], "silence"]
    assert found["turns"][1] == ["speech", "cut", "A long – interrupted, not heard:  reply."]
    failed = modules.evaluate(TALK, [*begun, of("reply_failed", 0, message="no quota")])
    assert failed["errors"] == ["no quota"]
    assert failed["turns"][1] == ["speech", "failed", "A long reply."]


def test_what_was_said_grows_until_it_is_final(modules):
    found = modules.evaluate(TALK, [transcript(0, "Good day"), transcript(1, "to you all", final=False, stable=1)])
    assert found["turns"] == [["you", "", "Good day to you all"]]
    gone = modules.evaluate(TALK, [transcript(0, "Good", final=False), transcript(0, "")])
    assert gone["turns"] == []
