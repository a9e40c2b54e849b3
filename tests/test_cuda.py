"""On a real GPU: files, live sessions and adapters say what they say on the CPU in the same numbers."""

import numpy as np
import pytest
import torch

from speech import Recognizer
from speech.events import TranscriptEvent
from speech.models.precision import Precision
from speech.nn.adapters import AdapterBank
from speech.recognize.offline import OfflineConfig
from speech.stream.engine import EngineConfig
from speech.stream.session import StreamOptions
from tests.stream.test_adapted import strong

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


@pytest.fixture(scope="module")
def pair() -> tuple[Recognizer, Recognizer]:
    here = Recognizer.from_pretrained(precision=Precision.float32)
    return here, Recognizer.from_pretrained(device="cuda", precision=Precision.float32)


def finals(recognizer: Recognizer, audio: np.ndarray, count: int = 1) -> list[str]:
    engine = recognizer.engine(EngineConfig(int8=False))
    sessions = [engine.open(StreamOptions()) for _ in range(count)]
    said = [""] * count
    for start in range(0, len(audio), 8000):
        for session in sessions:
            session.push(audio[start : start + 8000])
        engine.run(sessions)
    for session in sessions:
        session.push_finish()
    engine.run(sessions)
    for number, session in enumerate(sessions):
        said[number] = " ".join(e.text for e in session.drain() if isinstance(e, TranscriptEvent) and e.is_final)
    return said


def test_a_file_and_live_sessions_say_the_same(pair, speech):
    here, there = pair
    assert there.transcribe(speech).text == here.transcribe(speech).text
    assert finals(there, speech, 8) == finals(here, speech) * 8


def test_adapters_work_there(pair, speech):
    bank = AdapterBank({"fra": strong((4, 5, 6), pair[0].model.config.encoder.dim)})
    texts = []
    for recognizer, place in zip(pair, ("cpu", "cuda"), strict=True):
        plain = recognizer.transcribe(speech, language="fra").text
        recognizer.adapters = bank.to(place)
        texts.append(recognizer.transcribe(speech, language="fra").text)
        recognizer.adapters = None
        assert texts[-1] != plain
    assert texts[0] == texts[1]


def test_alone_nothing_depends_on_the_others(speech):
    recognizer = Recognizer.from_pretrained(device="cuda", config=OfflineConfig(alone=True))
    assert recognizer.transcribe(speech) == recognizer.transcribe(speech)


def test_bfloat16_is_what_a_gpu_that_has_it_takes(speech):
    recognizer = Recognizer.from_pretrained(device="cuda")
    modern = torch.cuda.get_device_capability() >= (8, 0)
    assert recognizer.model.embed.weight.dtype == (torch.bfloat16 if modern else torch.float32)
    assert recognizer.transcribe(speech).text
