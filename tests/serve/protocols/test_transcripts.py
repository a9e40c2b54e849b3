"""Transcripts as a client wants them."""

import json

import pytest

from serve.protocols import wire
from serve.protocols.transcripts import Transcripts
from speech.events import TranscriptEvent
from speech.transcript import Word, join


def event(text: str, stable: int, *, final: bool = False) -> TranscriptEvent:
    words = tuple(Word(word, 0.1 * n, 0.1 * n + 0.1, 0.9, "eng") for n, word in enumerate(text.split()))
    return TranscriptEvent(
        segment=0, revision=0, is_final=final, text=join(words), stable=len(words) if final else stable, words=words,
        start_s=0.0, end_s=1.0, audio_s=1.0,
    )  # fmt: skip


def said(transcripts: Transcripts, *events: TranscriptEvent) -> list[dict | None]:
    found = [transcripts.message(item, 7) for item in events]
    return [None if message is None else json.loads(wire.render(message)) for message in found]


def test_whole_transcripts_have_words_unless_nobody_wants_them():
    whole, bare = Transcripts(wire.StartMessage()), Transcripts(wire.StartMessage(words=False))
    assert [len(m["words"]) for m in said(whole, event("a b", 0), event("a c", 0, final=True))] == [2, 2]
    assert ["words" in m or m["lag_ms"] for m in said(bare, event("a b", 0))] == [7]


@pytest.mark.parametrize("later", [False, True])
def test_what_is_appended_is_said_once(later):
    transcripts = Transcripts(wire.StartMessage(interim="revisable" if later else "append"))
    transcripts.interim = "append"
    partials = said(transcripts, event("a b", 0), event("a b c", 2), event("a b d", 2), event("a b d", 3, final=True))
    assert [m and m["delta"] for m in partials] == [None, "a b", None, " d"]
    assert said(transcripts, event("e", 0, final=True))[0]["delta"] == "e"
