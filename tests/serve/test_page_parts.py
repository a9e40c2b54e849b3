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
