"""`Speaker`: samples and word times, equal for any pieces of a text; pauses, markup, rates, and what is refused."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError, LanguageError, ModelError, TextError
from speech.models.adapters.file import fingerprint
from speech.models.watermark_checkpoint import WatermarkCheckpoint
from speech.speaker import Speaker, Speech
from speech.tts.speech_stream import PARAGRAPH_S, SpeakingOptions
from speech.tts.synthesizer import SaidSymbols
from speech.tts.voice_file import VoiceFile
from speech.tts.watermark import Watermarker
from tests.tiny_voice import save_tiny_voice
from tests.tiny_watermark import tiny_threshold, tiny_watermark
from tests.tts.counting import CountingSynthesizer, LetterPronouncer
from tests.tts.kokoro_voices import letters_program, ship_kokoro

ENGLISH = SpeakingOptions(language="eng")
TEXT = (
    "Dr. Smith paid $5 for it. Was it much? No, not so.\n\nThe next paragraph is longer than forty symbols and is cut."
)


def speaker() -> Speaker:
    return Speaker(CountingSynthesizer(), LetterPronouncer())


def joined(packets, rate: int) -> Speech:
    packets = list(packets)
    samples = np.concatenate([np.zeros(0, np.float32), *(packet.samples for packet in packets)])
    return Speech(samples, rate, tuple(word for packet in packets for word in packet.words))


def assert_equal(one: Speech, other: Speech) -> None:
    np.testing.assert_array_equal(one.samples, other.samples)
    assert one.words == other.words


@given(st.lists(st.integers(0, len(TEXT)), max_size=20))
def test_pieces_of_a_text_give_the_same_as_the_whole(cuts):
    one = speaker()
    places = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[a:b] for a, b in pairwise(places)]
    assert_equal(joined(one.stream(pieces, ENGLISH), one.sample_rate), one.say(TEXT, ENGLISH))


def test_without_a_name_it_is_the_voice_of_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    ship_kokoro(tmp_path / "package", monkeypatch)
    assert Speaker.from_pretrained().voices == Speaker.from_pretrained("embedded-voice").voices
    assert "af_one" in Speaker.from_pretrained().voices


def test_words_have_the_times_of_their_symbols_and_their_places_in_the_text():
    speech = speaker().say("It cost $5.", ENGLISH)
    assert [word.text for word in speech.words] == ["It", "cost", "five", "dollars"]
    assert ["It cost $5."[word.source_start : word.source_end] for word in speech.words] == ["It", "cost", "$5", "$5"]
    lasts = {symbol: (100 + ord(symbol) % 100) / 8000 for symbol in "it cosfvedlar."}
    start = 0.0
    for word in speech.words:
        end = start + sum(lasts[symbol] for symbol in word.text.lower())
        assert (word.start_s, word.end_s) == (pytest.approx(start), pytest.approx(end))
        start = end + lasts[" "]
    assert len(speech.samples) / 8000 == pytest.approx(speech.words[-1].end_s + lasts["."])


def test_each_word_of_a_long_text_is_said_once_in_order():
    text = " ".join(f"{TEXT[:-1]}." for _ in range(5))
    one = speaker()
    speech = one.say(text, ENGLISH)
    assert len(speech.words) == 5 * 24
    assert all(a.end_s <= b.start_s for a, b in pairwise(speech.words))
    assert speech.words[-1].end_s <= len(speech.samples) / one.sample_rate


def test_paragraphs_are_apart_and_a_text_ends_without_a_pause():
    one = speaker()
    apart, together = one.say("One.\n\nTwo.", ENGLISH), one.say("One. Two.", ENGLISH)
    assert len(apart.samples) == len(together.samples) + PARAGRAPH_S * 8000
    silence = apart.samples[len(one.say("One.", ENGLISH).samples) :][: int(PARAGRAPH_S * 8000)]
    assert not silence.any()


def test_sentences_are_said_as_soon_as_the_next_one_begins():
    one, given_pieces = speaker(), []

    def pieces():
        for piece in ["Hello the", "re. ", "How ", "are you? ", "Fine."]:
            given_pieces.append(piece)
            yield piece

    stream = one.stream(pieces(), ENGLISH)
    first = next(stream)
    assert len(first.samples)
    assert given_pieces == ["Hello the", "re. ", "How "]
    stream.close()
    assert given_pieces == ["Hello the", "re. ", "How "]


def test_markup_gives_pauses_rates_and_phonemes():
    synthesizer = CountingSynthesizer()
    document = (
        '<speak>One <break time="500ms"/> <prosody rate="150%">two</prosody> '
        '<phoneme alphabet="ipa" ph="abc">three</phoneme>.<break time="1s"/></speak>'
    )
    speech = Speaker(synthesizer, LetterPronouncer()).say(document, ENGLISH, ssml=True)
    assert [(said[0].strip(), said[2]) for said in synthesizer.said][:3] == [("one", 1.0), ("two", 1.5), ("abc", 1.0)]
    assert [word.text for word in speech.words] == ["One", "two", "three"]
    assert speech.words[1].start_s - speech.words[0].end_s == pytest.approx(0.5, abs=0.1)
    assert not speech.samples[-8000:].any()


def test_voice_seed_and_rate_reach_the_synthesizer():
    synthesizer = CountingSynthesizer()
    options = SpeakingOptions(language="eng", voice="low", rate=2.0, seed=7)
    Speaker(synthesizer, LetterPronouncer()).say("One. Two.", options)
    assert synthesizer.said == [("one.", "low", 2.0, 7), ("two.", "low", 2.0, 8)]


def test_the_first_piece_of_a_text_and_of_what_follows_a_flush_is_wanted_soon_and_no_other():
    synthesizer = CountingSynthesizer()
    one = Speaker(synthesizer, LetterPronouncer())
    one.say("One. Two.\n\nThree is longer than forty symbols and is cut.", ENGLISH)
    assert synthesizer.soon == [True, False, False, False]
    synthesizer.soon.clear()
    stream = one.open(ENGLISH)
    for packets in (stream.feed("One. Two. Thr"), stream.feed("ee. F"), stream.flush(), stream.flush()):
        assert all(len(packet.samples) for packet in packets)
    assert synthesizer.soon == [True, False, False, False]
    assert list(stream.feed("One. Two."))
    assert list(stream.flush())
    assert synthesizer.soon[4:] == [True, False]


def test_voices_have_a_language():
    one = speaker()
    assert [(voice, one.language_of(voice)) for voice in one.voices] == [("high", "eng"), ("low", "deu")]
    with pytest.raises(ConfigError, match="no voice 'none'"):
        one.language_of("none")


def test_symbols_that_the_voice_lacks_are_left_out_and_told(caplog):
    with caplog.at_level(logging.WARNING):
        speech = speaker().say("Señor über.", SpeakingOptions(language="deu"))
    assert "'ü'" in caplog.text
    assert [word.text for word in speech.words] == ["Señor", "über"]


@pytest.mark.parametrize("text", ["", " \n", "...", "😀"])
def test_texts_without_a_word_may_be_silent(text):
    assert not speaker().say(text, ENGLISH).words


@pytest.mark.parametrize(
    ("text", "options", "error", "said"),
    [
        ("One.", {"language": "eng", "voice": "none"}, ConfigError, "no voice 'none'. There are high, low"),
        ("One.", {"language": "xx"}, LanguageError, "xx"),
        ("One.\nдва.", {"language": "eng"}, LanguageError, "line 2, column 1"),
    ],
)
def test_what_is_wrong_is_said(text, options, error, said):
    with pytest.raises(error) as raised:
        speaker().say(text, SpeakingOptions(**options))
    assert said in str(raised.value)


def test_rates_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="rate"):
        SpeakingOptions(language="eng", rate=3.0)
    with pytest.raises(TextError, match=r"a rate of 3, expected 0\.5 to 2"):
        speaker().say(
            '<speak><prosody rate="150%">a</prosody></speak>', SpeakingOptions(language="eng", rate=2.0), ssml=True
        )


def test_a_blend_is_a_voice_of_the_language_of_its_largest_weight():
    synthesizer = CountingSynthesizer()
    one = Speaker(synthesizer, LetterPronouncer())
    one.say("One.", SpeakingOptions(language="eng", voice="high:3, low:1"))
    assert synthesizer.said[0][1] == "high:0.750000,low:0.250000"
    assert (one.language_of("high:.6,low:.4"), one.language_of("high:.4,low:.6")) == ("eng", "deu")
    assert one.voice_of(SpeakingOptions(language="eng", voice="low:2")) == "low"
    assert one.voice_of(SpeakingOptions(language="deu")) == "low"
    for voice, said in (("high:1,none:1", "no voice 'none'"), ("high:x", "no voice with its weight")):
        with pytest.raises(ConfigError, match=said):
            one.open(SpeakingOptions(language="eng", voice=voice))
    synthesizer.blends = False
    assert one.voice_of(SpeakingOptions(language="eng", voice="low")) == "low"
    with pytest.raises(ConfigError, match="does not blend voices: 'high:1,low:1'"):
        one.open(SpeakingOptions(language="eng", voice="high:1,low:1"))


@pytest.fixture(scope="module")
def marker() -> Watermarker:
    return Watermarker(WatermarkCheckpoint(tiny_watermark(), tiny_threshold(), {}))


@given(st.lists(st.integers(0, len(TEXT)), max_size=20))
def test_pieces_of_a_text_are_marked_as_the_whole(marker, cuts):
    one = Speaker(CountingSynthesizer(), LetterPronouncer(), marker, 9)
    places = [0, *sorted(cuts), len(TEXT)]
    assert_equal(joined(one.stream([TEXT[a:b] for a, b in pairwise(places)], ENGLISH), 8000), one.say(TEXT, ENGLISH))


def test_marked_samples_are_in_place_and_words_keep_their_times(marker):
    plain = speaker().say(TEXT, ENGLISH)
    marked = Speaker(CountingSynthesizer(), LetterPronouncer(), marker, 9).say(TEXT, ENGLISH)
    assert marked.words == plain.words
    np.testing.assert_allclose(marked.samples, marker.embed(plain.samples, 8000, 9), atol=1e-6)
    assert np.abs(marked.samples - plain.samples).max() > 1e-3
    loudest = np.argmax(np.correlate(marked.samples, plain.samples[500:-500], "valid"))
    assert loudest == 500


def test_markup_and_what_follows_a_flush_are_marked_to_the_end(marker):
    document = '<speak>One <break time="500ms"/> two.<break time="1s"/></speak>'
    one = Speaker(CountingSynthesizer(), LetterPronouncer(), marker)
    plain = speaker().say(document, ENGLISH, ssml=True)
    assert len(one.say(document, ENGLISH, ssml=True).samples) == len(plain.samples)
    stream, samples = one.open(ENGLISH), 0
    for text in ("One. ", "Two"):
        samples += sum(len(packet.samples) for packet in [*stream.feed(text), *stream.flush()])
        assert samples == round(stream.seconds * 8000)


def test_cloned_voices_are_said_only_with_a_watermark(marker):
    synthesizer = CountingSynthesizer()
    synthesizer.cloned = frozenset({"low"})
    plain, marking = (Speaker(synthesizer, LetterPronouncer(), one) for one in (None, marker))
    assert (plain.marks, marking.marks) == (False, True)
    assert [plain.is_cloned(voice) for voice in ("high", "low", "high:9,low:1")] == [False, True, True]
    for options in ({"voice": "low"}, {"voice": "high:9,low:1"}, {"language": "deu"}):
        given_options = SpeakingOptions(**{"language": "eng"} | options)
        with pytest.raises(ConfigError, match="is cloned: it is said only with a watermark"):
            plain.say("One.", given_options)
        assert len(marking.say("One.", given_options).samples)
    assert len(plain.say("One.", SpeakingOptions(language="eng", voice="high")).samples)


def test_a_watermark_of_another_rate_or_message_is_refused(marker):
    other = Watermarker(WatermarkCheckpoint(tiny_watermark(sample_rate=24000), tiny_threshold(), {}))
    with pytest.raises(ConfigError, match="the watermark has 24000 Hz, the voice 8000 Hz"):
        Speaker(CountingSynthesizer(), LetterPronouncer(), other)
    with pytest.raises(ConfigError, match="message 256"):
        Speaker(CountingSynthesizer(), LetterPronouncer(), marker, 256)


class RecutSynthesizer(CountingSynthesizer):
    """Says the same in packets that are cut at random."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self._rng = rng

    def say(self, symbols, voice, **options):
        whole = list(super().say(symbols, voice, **options))
        samples, spans = torch.cat([piece.samples for piece in whole]), [s for piece in whole for s in piece.spans_s]
        count = self._rng.integers(0, 6)
        cuts = [0, *sorted(self._rng.integers(0, len(samples), count).tolist()), len(samples)]
        told = [0, *sorted(self._rng.integers(0, len(spans), count).tolist()), len(spans)]
        for (a, b), (first, last) in zip(pairwise(cuts), pairwise(told), strict=True):
            yield SaidSymbols(samples[a:b], spans[first:last])


LONG = f"{TEXT} „Nein!“ she said... 12.5 % of 3 km? Yes; e.g. 1,000 m.\n\n \n"


@pytest.mark.timeout(3600)
def test_random_cuts_of_text_and_packets_say_the_same(pytestconfig, marker):
    """2,000 of them with `--all`."""
    whole = speaker().say(LONG, ENGLISH)
    marked = Speaker(CountingSynthesizer(), LetterPronouncer(), marker, 5).say(LONG, ENGLISH).samples
    for number in range(2000 if pytestconfig.getoption("--all") else 100):
        rng = np.random.default_rng(number)
        places = [0, *sorted(rng.integers(0, len(LONG), rng.integers(0, 40)).tolist()), len(LONG)]
        pieces = [LONG[a:b] for a, b in pairwise(places)]
        one = Speaker(RecutSynthesizer(rng), LetterPronouncer(), marker if number % 4 == 0 else None, 5)
        said = joined(one.stream(pieces, ENGLISH), 8000)
        assert said.words == whole.words, number
        if one.marks:
            np.testing.assert_allclose(said.samples, marked, atol=1e-6, err_msg=str(number))
        else:
            np.testing.assert_array_equal(said.samples, whole.samples, err_msg=str(number))


def test_voices_of_an_aligned_model_come_and_go(tmp_path):
    path = save_tiny_voice(tmp_path / "v")
    one = Speaker.from_pretrained(str(path))
    eve = VoiceFile(
        name="eve", language="deu", kind="aligned_ar", model=fingerprint(path), cloned=True, card="Eve agrees.",
        tensors={"speaker": torch.tensor([1.0, 2.0, 3.0])}, created="2026-11-30",
    )  # fmt: skip
    one.add_voice(eve)
    assert one.voices == ("ann", "ben", "eve")
    with pytest.raises(ConfigError, match="the voice 'eve' is cloned: it is said only with a watermark"):
        one.open(SpeakingOptions(language="deu", voice="eve"))
    assert one.voice_of(SpeakingOptions(language="deu")) == "ben"
    one.remove_voice("eve")
    assert one.voices == ("ann", "ben")
    with pytest.raises(ModelError, match="voice eve: is a voice for another model"):
        one.add_voice(replace(eve, model="0" * 64))
    with pytest.raises(ConfigError, match="voices of this model cannot be added while it speaks"):
        speaker().add_voice(eve)


def test_a_language_without_a_pronunciation_is_told_before_anything_is_said(tmp_path):
    voice = Speaker.from_pretrained(str(save_tiny_voice(tmp_path / "tiny")))
    voice.check_pronunciation("German")
    with pytest.raises(LanguageError, match="no pronunciation is known in 'xho'"):
        voice.check_pronunciation("xho")
    with pytest.raises(LanguageError, match="klingonish"):
        voice.check_pronunciation("klingonish")
