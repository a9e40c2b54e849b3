"""The limit of a voice: all products are counted, of LSTMs too, once for each utterance that was said."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from voice_limit import _recurrent, operations, peak, spoken

from speech.models.kokoro import KokoroRequest
from speech.speaker import Speaker
from speech.tts.kokoro_synthesizer import KokoroSynthesizer
from speech.tts.speech_stream import SpeakingOptions
from tests.tiny_kokoro import tiny_kokoro, tiny_style
from tests.tts.counting import LetterPronouncer
from tests.tts.kokoro_voices import kokoro_checkpoint


def test_an_lstm_has_a_product_per_frame_and_direction():
    lstm, x = nn.LSTM(6, 8, bidirectional=True), torch.randn(5, 1, 6)
    with (
        torch.no_grad(),
        FlopCounterMode(display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _recurrent}) as counter,
    ):
        lstm(x)
    assert counter.get_total_flops() == 2 * 2 * 5 * 4 * 8 * (6 + 8)


def test_more_symbols_take_more_operations_in_every_part():
    model = tiny_kokoro()
    short, long = (operations(model, KokoroRequest(ids=[1, 2, 3] * times, style=tiny_style(3))) for times in (1, 4))
    assert set(short) == {"albert", "text_encoder", "prosody", "decoder"}
    assert all(0 < short[part] < long[part] for part in short)


def test_each_utterance_that_was_said_is_counted_once():
    synthesizer = KokoroSynthesizer(kokoro_checkpoint())
    speaker, texts = Speaker(synthesizer, LetterPronouncer()), ["hello there", "so. long"]
    spent = spoken(synthesizer, speaker, texts, "eng")
    samples = sum(len(speaker.say(text, SpeakingOptions(language="eng")).samples) for text in texts)
    assert len(spent.requests) == 2
    assert spent.seconds > 0
    assert spent.audio_s == pytest.approx(samples / speaker.sample_rate)


def test_a_peak_is_a_rate():
    assert 1e8 < peak(torch.float32) < 1e15
