"""The voice that ships with the package: what it says is understood by the recogniser that ships, and it streams."""

from itertools import pairwise

import numpy as np
import pytest

from speech import Recognizer, Speaker, SpeakingOptions
from speech.metrics.edit.error_rate import text_errors
from speech.tts.loading import load_voice_model
from speech.tts.text_front_end.normalise import normalise
from speech.tts.text_front_end.spoken_text import spoken_text

SENTENCES = {
    "eng": "Good morning, the train to the city leaves in ten minutes.",
    "spa": "Buenos días, el tren a la ciudad sale en diez minutos.",
    "fra": "Bonjour, le train pour la ville part dans dix minutes.",
    "ita": "Buongiorno, il treno per la città parte tra dieci minuti.",
    "por": "Bom dia, o trem para a cidade sai em dez minutos.",
}


@pytest.fixture(scope="module")
def speaker():
    return Speaker.from_pretrained()


@pytest.fixture(scope="module")
def recognizer():
    return Recognizer.from_pretrained()


@pytest.mark.parametrize("language", SENTENCES)
def test_it_is_understood(speaker, recognizer, language):
    said = speaker.say(SENTENCES[language], SpeakingOptions(language=language))
    heard = recognizer.transcribe(said.samples, rate=said.sample_rate, language=language)
    both = (spoken_text(text, language) for text in (SENTENCES[language], heard.text))  # "10" and "dez" are the same
    assert text_errors(*both, [language]).words.rate <= 0.2, heard.text


def test_it_streams_within_a_sentence(speaker):
    options = SpeakingOptions(language="eng")
    packets = list(speaker.stream([SENTENCES["eng"]], options))
    spoken = [packet for packet in packets if len(packet.samples)]
    assert len(spoken) > 3
    first = spoken[0].samples
    silent = int(np.flatnonzero(np.abs(first) > 1e-3)[0])  # is not computed
    assert len(first) - silent <= 0.25 * speaker.sample_rate
    whole = speaker.say(SENTENCES["eng"], options)
    assert np.array_equal(np.concatenate([packet.samples for packet in packets]), whole.samples)
    assert [word.text.strip(",.") for word in whole.words] == SENTENCES["eng"].replace(",", "").strip(".").split()
    assert all(first.start_s <= second.start_s for first, second in pairwise(whole.words))


@pytest.mark.parametrize(
    ("voice", "text"), [("ff_siwis", "Bonjour à tous."), ("am_michael", "So it is."), ("bf_emma", "So it is.")]
)
def test_silence_that_is_not_computed_is_silent(voice, text):
    synthesizer, pronouncer = load_voice_model("embedded-voice")
    language = synthesizer.language_of(voice)
    symbols = pronouncer(normalise(text, language), language).symbols
    early, whole = (
        np.concatenate([
            piece.samples.numpy()
            for piece in synthesizer.say(symbols, voice, language=language, rate=1.0, seed=0, soon=soon)
        ])
        for soon in (True, False)
    )  # fmt: skip
    silent = int(np.flatnonzero(early)[0])
    assert silent > 0.1 * synthesizer.sample_rate
    assert np.abs(whole[:silent]).max() < 1e-3
    assert len(early) == len(whole)


def test_every_language_has_the_voices_that_the_card_names(speaker):
    assert speaker.voices == (
        "af_heart", "am_fenrir", "am_michael", "bf_emma", "bm_george", "ef_dora", "em_alex", "ff_siwis",
        "if_sara", "im_nicola", "pf_dora", "pm_alex",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("eng", "Yes."),
        ("eng", "Stop!"),
        ("spa", "Vale."),
        ("fra", "Oui."),
        ("ita", "Certo."),
        ("por", "Sim."),
        ("deu", "Ja."),
    ],
)
def test_a_word_alone_is_as_loud_as_a_sentence(speaker, language, text):
    options = SpeakingOptions(language=language)
    word, sentence = (
        speaker.say(said, options).samples for said in (text, SENTENCES.get(language, "Der Zug fährt um zehn Uhr ab."))
    )
    loudness = [float(np.percentile(np.abs(samples), 95)) for samples in (word, sentence)]
    assert 0.3 < loudness[0] / loudness[1] < 2.0
    assert np.abs(word).max() < 1.0
