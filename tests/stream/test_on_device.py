"""Files and live sessions on a device that refuses what CUDA refuses say what they say on the CPU."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import soundfile
import torch

import speech.recognizer
from speech import Recognizer
from speech.decode.bias.phrases import Phrase
from speech.decode.endpoint import Reason
from speech.events import Event, LanguageEvent, TranscriptEvent, TranslationEvent
from speech.models.precision import Precision, with_precision
from speech.nn.adapters import AdapterBank
from speech.nn.cpu.int8 import Int8Linear
from speech.nn.head_extension import near_rows
from speech.recognize.full_context import FullContextPass
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.windows import WindowConfig
from speech.stream.engine import Engine, EngineConfig, LiveStream
from speech.stream.options import StreamOptions
from tests.ctc_half import ctc_half
from tests.fake_device import DEVICE, FakeDevice
from tests.recognize.test_adapter_tokens import with_rows
from tests.stream.test_adapted import strong

WINDOWS = OfflineConfig(cut=Cut.windows, window=WindowConfig(size_s=4.0, context_s=0.8))
PHRASES = (Phrase("a caller waiting"), Phrase("interdus"))


@pytest.fixture
def device() -> Iterator[FakeDevice]:
    with FakeDevice() as device:
        yield device


Pair = tuple[Recognizer, Recognizer]


def loaded(beam: int | None, name: str = ctc_half()) -> Pair:
    """A model on the CPU and on the device."""
    with pytest.MonkeyPatch.context() as patch, FakeDevice():
        patch.setattr(speech.recognizer, "check_device", lambda name, **_: torch.device(name))
        there = Recognizer.from_pretrained(name, device=str(DEVICE), beam=beam, measured_targets=False)
    here = Recognizer.from_pretrained(name, precision=Precision.float32, beam=beam, measured_targets=False)
    return here, there


@pytest.fixture(scope="module")
def pair() -> Pair:
    return loaded(beam=1)


@pytest.fixture(scope="module")
def searching() -> Pair:
    """With a language model."""
    return loaded(beam=None)


def both[T](pair: Pair, do: Callable[[Recognizer], T]) -> tuple[T, T]:
    """What is done on the CPU and on the device."""
    here = do(pair[0])
    with FakeDevice(float64=False):
        return here, do(pair[1])


@pytest.fixture(scope="module")
def audio(speech) -> np.ndarray:
    """English and French, with a pause behind each."""
    return np.concatenate([speech[:30_000], np.zeros(9600, np.float32), speech[-24_000:], np.zeros(9600, np.float32)])


def adapted[T](pair: Pair, bank: AdapterBank, do: Callable[[Recognizer], T]) -> tuple[T, T]:
    """`both`, with adapters."""

    def there(recognizer: Recognizer) -> T:
        recognizer.adapters = bank  # which has been used on the CPU before it is on the device
        try:
            return do(recognizer)
        finally:
            recognizer.adapters = None

    return both(pair, there)


def engine(recognizer: Recognizer) -> Engine:
    return recognizer.engine(EngineConfig(int8=False))


def told(events: list[Event]) -> list[tuple[object, ...]]:
    """What a client reads of them, without the last digits of confidences."""
    found: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, TranscriptEvent):
            found.append((event.segment, event.revision, event.is_final, event.text, event.stable))
        elif isinstance(event, TranslationEvent):
            found.append((event.segment, event.target, event.is_final, event.text))
        elif isinstance(event, LanguageEvent):
            found.append((event.previous, event.language))
    return found


def play(session: LiveStream, audio: np.ndarray) -> list[Event]:
    return [
        *(e for start in range(0, len(audio), 8000) for e in session.accept(audio[start:][:8000])),
        *session.finish(),
    ]


def test_the_model_is_there_in_numbers_that_it_has(pair, device):
    assert {p.device for p in pair[1].model.parameters()} == {DEVICE}
    assert {p.dtype for p in pair[1].model.parameters()} == {torch.float32}
    assert not any(isinstance(module, Int8Linear) for module in Engine(pair[1]._second_pass).first_pass.model.modules())


def live(options: StreamOptions, audio: np.ndarray) -> Callable[[Recognizer], list[tuple[object, ...]]]:
    return lambda recognizer: told(play(engine(recognizer).open(options), audio))


@pytest.mark.parametrize("language", ["auto", "eng"])
def test_a_file_says_the_same(pair, audio, language):
    here, there = both(pair, lambda r: r.transcribe(audio, language=language, phrases=PHRASES[:1]))
    assert there.text == here.text
    assert there.text
    assert [word.language for word in there.words] == [word.language for word in here.words]
    assert there.language == here.language


def test_many_files_are_read_together_and_say_the_same(searching, audio, tmp_path):
    paths = []
    for number, samples in enumerate((audio[:39_600], audio[39_600:], audio[:20_000], np.zeros(4000, np.float32))):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], samples, 16_000)
    here, there = both(searching, lambda r: [result.text for _, result in r.transcribe_files(paths)])
    assert there == here


def test_long_files_in_windows_say_the_same(pair, audio):
    here, there = both(pair, lambda r: Recognizer(r.model, r.tokenizer, WINDOWS).transcribe(audio))
    assert there.text == here.text
    assert there.text


def test_words_of_a_known_text_are_said_when_they_are(pair, audio):
    here, there = both(pair, lambda r: r.align(audio[:39_600], "i have a caller waiting", language="eng").words)
    assert [(w.text, w.start_s, w.end_s) for w in there] == [(w.text, w.start_s, w.end_s) for w in here]


@pytest.mark.parametrize(
    ("options", "end"),
    [(StreamOptions(), None), (StreamOptions(languages=("eng",), targets=("eng", "fra")), 39_600)],
    ids=["auto", "targets"],
)
def test_a_live_session_tells_the_same(pair, audio, options, end):
    here, there = both(pair, live(options, audio[:end]))
    assert there == here
    assert any(row[2:3] == (True,) for row in there)


def test_a_live_session_with_a_search_and_phrases_tells_the_same(searching, audio):
    here, there = both(searching, live(StreamOptions(languages=("eng", "fra"), phrases=PHRASES), audio[:39_600]))
    assert there == here


def test_a_session_that_changes_its_mind_tells_the_same(pair, audio):
    def change(recognizer: Recognizer) -> list[tuple[object, ...]]:
        session = engine(recognizer).open()
        events = session.accept(audio[:16_000])
        session.update(StreamOptions(languages=("eng",), phrases=PHRASES))
        events += session.accept(audio[16_000:30_000]) + session.flush()
        session.update(StreamOptions(languages=("fra",)))
        return told(events + session.accept(audio[30_000:]) + session.finish())

    here, there = both(pair, change)
    assert there == here


@pytest.mark.parametrize("languages", [("fra",), ()], ids=["named", "auto"])
def test_adapters_work_there(pair, audio, languages):
    bank = AdapterBank({"fra": strong((4, 5, 6), pair[0].model.config.encoder.dim)})
    plain = pair[0].transcribe(audio[39_600:], language=",".join(languages) or "auto").text
    here, there = adapted(pair, bank, live(StreamOptions(languages=languages), audio[39_600:]))
    assert there == here
    assert there[-1][3] != plain


def test_tokens_that_adapters_bring_are_written_there(pair, audio):
    rows, bias = near_rows(pair[0].model.ctc, pair[0].tokenizer.vocabulary, ["ა"])
    bank = AdapterBank({"eng": with_rows(rows, bias + 2, ("ǂ",))})
    here, there = adapted(pair, bank, live(StreamOptions(languages=("eng",)), audio[:39_600]))
    assert there == here
    assert "ǂ" in there[-1][3]


def waiting(recognizer: Recognizer, audio: np.ndarray, count: int) -> tuple[Engine, list[LiveStream]]:
    """So many sessions that wait for a chunk, all of which have had one; every other one prefers phrases."""
    made = engine(recognizer)
    sessions = [made.open(StreamOptions(phrases=PHRASES[: number % 2])) for number in range(count)]
    for start, end in ((0, 16_000), (16_000, 28_000)):
        for number, session in enumerate(sessions):
            session.push(np.roll(audio, 100 * number)[start:end])
            session.begin()
        if not start:
            made.run(sessions)
    return made, sessions


def test_a_step_of_many_sessions_costs_the_copies_of_one(pair, device, audio):
    found = []
    for count in (1, 2, 5):
        made, sessions = waiting(pair[1], audio, count)
        chunks = [session.chunk(1) for session in sessions]
        with device.counted() as copies:
            made.first_pass.step([stream for stream, _ in chunks], min(size for _, size in chunks))
        found.append(copies)
    assert found[0] == found[1] == found[2] == {"to cpu": 1, "to device": 1}


def part(samples: np.ndarray) -> Part:
    end = len(samples)
    return Part(0, samples, 0, end, end, quiet=True, silent=False, decided=end, reason=Reason.stop)


def test_a_batch_of_parts_costs_the_copies_of_one_where_there_is_no_search(pair, device, audio):
    second = FullContextPass(pair[1].model, pair[1].tokenizer)
    found = []
    for rows in (2, 5):
        parts = [part(audio[: 30_000 - 1000 * row]) for row in range(rows)]
        with device.counted() as copies:
            second.read(parts, [Request()] * rows)
        found.append(copies)
    assert found[0] == found[1]
    assert found[0]["to cpu"] <= 6


@pytest.mark.parametrize("alone", [True, False])
def test_parts_are_read_alone_where_that_is_asked_for(pair, device, audio, alone, monkeypatch):
    second = FullContextPass(pair[1].model, pair[1].tokenizer, alone=alone)
    sizes = []
    encode = second.encode
    monkeypatch.setattr(second, "encode", lambda heard, *args: sizes.append(len(heard)) or encode(heard, *args))
    second.read([part(audio[:30_000]), part(audio[:20_000])], [Request()] * 2)
    assert sizes == ([1, 1] if alone else [2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_published_model_reads_and_steps_there(published, tokenizer, device, audio, dtype):
    """Its encoder, which says the language first, attends to a prompt and remembers convolutions."""
    told_by = []
    for place in ("cpu", DEVICE):
        placed = copy.deepcopy(published).to(place)
        model = with_precision(placed, Precision(str(dtype).removeprefix("torch.")))
        recognizer = Recognizer(model, tokenizer)
        events = play(engine(recognizer).open(StreamOptions(languages=("eng",))), audio[:30_000])
        told_by.append((recognizer.transcribe(audio[:30_000], language="auto"), told(events)))
    (here, live_here), (there, live_there) = told_by
    assert [word.text for word in there.words] == [word.text for word in here.words]
    assert there.language == here.language
    assert len(live_there) == len(live_here)


def test_a_label_model_alone_says_what_it_says_on_the_cpu(whisper_checkpoint, audio):
    options = StreamOptions(languages=("deu", "eng"), targets=("eng",))
    whisper = loaded(None, str(whisper_checkpoint))
    for do in (
        lambda recognizer: recognizer.transcribe(audio).text,
        lambda recognizer: told(play(engine(recognizer).open(options), audio)),
    ):
        here = do(whisper[0])
        with FakeDevice():  # published positions are computed in float64, elsewhere where there is none
            there = do(whisper[1])
        assert here
        assert here == there
