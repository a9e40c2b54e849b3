"""Ends of turns by voice in a live session: the same judgement however the audio comes in."""

import numpy as np
import pytest

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.events import EndpointEvent
from speech.stream.options import StreamOptions

CLIP = "speech/assets/clips/ast_en_priv-callpending.ogg"


def judgements(block, *, hears=True):
    samples = np.concatenate([load_audio(CLIP), np.zeros(24_000, np.float32)])
    stream = Recognizer.from_pretrained().engine().open(StreamOptions(languages=("eng",), hears_turns=hears))
    events = []
    for start in range(0, len(samples), block):
        events += stream.accept(samples[start : start + block])
    events += stream.finish()
    return [event.over for event in events if isinstance(event, EndpointEvent)]


def test_blocks_do_not_matter_and_clients_are_not_told():
    whole = judgements(1_000_000)
    assert any(over is not None for over in whole)
    assert judgements(1600) == whole
    assert judgements(777) == whole


def test_nobody_asks():
    assert all(over is None for over in judgements(1600, hears=False))


def test_a_record_has_no_judgement():
    event = EndpointEvent(at_s=1.0, speech_end_s=0.8, decided_s=1.1, reason="silence", over=pytest.approx(1.0))
    assert "over" not in event.to_dict()
