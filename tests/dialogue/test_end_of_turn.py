"""The end-of-turn model of the package: what people say to assistants, in six languages, quickly."""

from __future__ import annotations

import math
import statistics
import time
from importlib.resources import files
from pathlib import Path

import pytest

from speech.dialogue.end_of_turn import EndOfTurn
from speech.errors import LanguageError, ModelError
from tests.turns import save_tiny_turn_end

SHIPPED = Path(str(files("speech") / "assets" / "end_of_turn"))
OVER = {
    "eng": ["What time is it?", "Could you open the window?", "I live in Dublin."],
    "spa": ["¿Dónde está la farmacia?", "Enciende la luz.", "Vivo en Sevilla."],
    "fra": ["Où est la pharmacie ?", "Allume la lumière.", "J'habite à Lyon."],
    "ita": ["Dov'è la farmacia?", "Accendi la luce.", "Abito a Milano."],
    "por": ["Onde fica a farmácia?", "Acende a luz.", "Moro em Lisboa."],
    "deu": ["Wo ist die Apotheke?", "Mach das Licht an.", "Ich wohne in Hamburg."],
}
ON = {
    "eng": ["I would like to.", "Could you tell me if the", "I live in the", "Yes, but", "and then I...", "Because"],
    "spa": ["Me gustaría que.", "Vivo en la", "Sí, pero", "y entonces el..."],
    "fra": ["Je voudrais savoir si.", "J'habite dans la", "Oui, mais", "et puis le..."],
    "ita": ["Vorrei sapere se.", "Abito nella", "Sì, ma", "e poi il..."],
    "por": ["Eu gostaria de.", "Moro na", "Sim, mas", "e depois o..."],
    "deu": ["Ich möchte wissen, ob.", "Ich wohne in der", "Ja, aber", "und dann die..."],
}


@pytest.fixture(scope="module")
def model() -> EndOfTurn:
    return EndOfTurn()


@pytest.mark.parametrize("code", OVER)
def test_complete_turns_are_told_from_those_that_break_off_even_with_a_full_stop(model, code):
    for named in (code, None):
        over = [model.probability(text, named) for text in OVER[code]]
        goes_on = [model.probability(text, named) for text in ON[code]]
        assert min(over) > 0.3, "an answer does not wait long"
        assert statistics.median(over) > 0.6
        assert max(goes_on) < 0.8, "none is answered at once"
        assert statistics.median(goes_on) < 0.1


def test_surely_over_and_surely_not_are_said(model):
    assert model.probability("Could you open the window?", "eng") >= 0.8
    assert model.probability("I would like to", "eng") <= 0.3
    assert model.probability("I would like to", "English") == model.probability("I would like to", "eng")


@pytest.mark.parametrize("text", ["", " ", "...", "?!"])
def test_a_text_without_letters_is_no_turn_that_is_over(model, text):
    assert model.probability(text, "eng") == 0.0


def test_any_length_is_answered_in_a_millisecond(model):
    sentence = "We took the train to the sea, and it was raining there. "
    for text in (sentence, sentence * 5000):
        seconds = []
        for _ in range(30):
            begun = time.process_time()
            assert 0 <= model.probability(text, "eng") <= 1
            seconds.append(time.process_time() - begun)
        assert min(seconds) < 0.001


def test_an_unknown_language_is_refused_and_one_without_training_is_answered(model):
    with pytest.raises(LanguageError, match="klingon"):
        model.probability("yes", "klingon")
    assert 0 < model.probability("Iya betul.", "ind") < 1


def test_it_is_small_and_its_card_tells_sources():
    assert sum(path.stat().st_size for path in SHIPPED.glob("*.safetensors")) <= 1_000_000
    card = (SHIPPED / "README.md").read_text("utf-8")
    for said in ("CC-BY-SA-3.0", "GNOME user documentation", "ROC"):
        assert said in card


def test_another_model_is_loaded_from_its_folder(tmp_path):
    own = EndOfTurn.load(save_tiny_turn_end(tmp_path / "m"))
    assert own.probability("the dog done", "eng") > 0.5 > own.probability("the dog", "eng")
    (tmp_path / "m" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has no model\.safetensors"):
        EndOfTurn.load(tmp_path / "m")


def test_nothing_is_loaded_before_the_first_question():
    assert not math.isnan(EndOfTurn().probability("yes"))
    assert EndOfTurn()._model is None
