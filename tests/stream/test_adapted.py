"""Adapters in files and live: for the languages that have one, and for no other."""

from pathlib import Path

import numpy as np
import pytest
import torch

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.events import Event, TranscriptEvent
from speech.models.adapters.file import FOLDER, AdapterFile, fingerprint, save_adapter
from speech.nn.adapters import Adapter, AdapterBank
from speech.stream.engine import LiveStream
from speech.stream.options import StreamOptions
from speech.transcript import Transcript
from tests.conftest import CORPUS
from tests.ctc_half import ctc_half

AUDIO = CORPUS / "asterisk_core_sounds" / "audio"
FRENCH = AUDIO / "fra" / "ast_fr_priv-callpending.ogg"
ENGLISH = AUDIO / "eng" / "ast_en_priv-callpending.ogg"


def strong(layers: tuple[int, ...], dim: int) -> Adapter:
    """It turns everything into something else."""
    torch.manual_seed(5)
    adapter = Adapter(layers, dim, 8)
    with torch.no_grad():
        adapter.up.normal_()
    return adapter.requires_grad_(False)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer.from_pretrained(
        ctc_half(), measured_targets=False
    )  # it has tokens for targets, which tests may use


@pytest.fixture
def bank(recognizer):
    bank = AdapterBank({"fra": strong((4, 5, 6), recognizer.model.config.encoder.dim)})
    recognizer.adapters = bank
    yield bank
    recognizer.adapters = None


def live(session: LiveStream, samples: np.ndarray) -> list[Event]:
    events = [event for start in range(0, len(samples), 4000) for event in session.accept(samples[start:][:4000])]
    return [*events, *session.finish()]


def texts(events: list[Event], *, final: bool) -> str:
    return " ".join(e.text for e in events if isinstance(e, TranscriptEvent) and e.is_final == final and e.text)


def samples_of(path) -> np.ndarray:
    return np.concatenate([load_audio(path), np.zeros(9600, np.float32)])


def with_and_without(recognizer: Recognizer, bank: AdapterBank, path: Path, language: str) -> list[Transcript]:
    found = []
    for chosen in (bank, None):
        recognizer.adapters = chosen
        found.append(recognizer.transcribe(path, language=language))
    recognizer.adapters = bank
    return found


@pytest.mark.parametrize("language", ["named", "auto"])
def test_the_language_that_is_spoken_is_adapted_and_no_other(recognizer, bank, language):
    for path, code in ((FRENCH, "fra"), (ENGLISH, "eng")):
        adapted, plain = with_and_without(recognizer, bank, path, code if language == "named" else "auto")
        assert (adapted.text == plain.text) == (code == "eng")
        assert adapted.language == plain.language == code


@pytest.mark.parametrize("languages", [("fra",), ()])
def test_finals_are_those_of_the_file_and_partials_are_adapted_too(recognizer, bank, languages):
    samples = samples_of(FRENCH)
    file = recognizer.transcribe(samples, language=",".join(languages) or "auto").text
    adapted = live(recognizer.engine().open(StreamOptions(languages=languages)), samples)
    assert texts(adapted, final=True) == file
    recognizer.adapters = None
    plain = live(recognizer.engine().open(StreamOptions(languages=languages)), samples)
    assert texts(plain, final=False) != texts(adapted, final=False)


def test_a_bank_comes_and_goes_while_a_session_runs(recognizer, bank):
    samples = samples_of(FRENCH)
    expected = recognizer.transcribe(samples, language="fra").text
    recognizer.adapters = None
    session = recognizer.engine().open(StreamOptions(languages=("fra",)))
    session.accept(samples[:20_000])
    recognizer.adapters = bank
    assert texts([*session.accept(samples[20_000:]), *session.finish()], final=True) == expected


def test_sessions_with_and_without_adapters_share_a_batch(recognizer, bank):
    engine = recognizer.engine()
    pairs = [(FRENCH, "fra"), (ENGLISH, "eng"), (FRENCH, "eng")]
    sessions = [engine.open(StreamOptions(languages=(code,))) for _, code in pairs]
    for session, (path, _) in zip(sessions, pairs, strict=True):
        session.push(samples_of(path))
        session.push_finish()
    engine.run(sessions)
    for session, (path, code) in zip(sessions, pairs, strict=True):
        assert texts(session.drain(), final=True) == recognizer.transcribe(samples_of(path), language=code).text


def test_translations_are_not_adapted(recognizer, bank):
    adapted = recognizer.transcribe(FRENCH, language="fra", to="eng").text
    recognizer.adapters = None
    assert recognizer.transcribe(FRENCH, language="fra", to="eng").text == adapted


def test_those_beside_a_checkpoint_are_loaded_with_it(checkpoint):
    path = checkpoint / FOLDER / "spa.safetensors"
    assert Recognizer.from_pretrained(str(checkpoint)).adapters is None
    try:
        save_adapter(path, AdapterFile(strong((1, 2), 32), "spa", fingerprint(checkpoint), "a card"))
        bank = Recognizer.from_pretrained(str(checkpoint)).adapters
        assert bank is not None
        assert bank.codes == ("spa",)
    finally:
        path.unlink(missing_ok=True)
        path.parent.rmdir()
