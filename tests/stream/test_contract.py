"""Sessions that come, speak, change their minds and go, in any order: what each of them says keeps the contract."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from speech import Recognizer, SpeechError
from speech.decode.endpoint import EndpointConfig
from speech.events import Event, TranscriptEvent
from speech.recognize.full_context import FullContextPass
from speech.recognize.offline import OfflineConfig, OfflineReader
from speech.recognize.request import Request
from speech.stream.engine import Engine, EngineConfig, LiveStream
from speech.stream.options import StreamOptions
from speech.stream.pacing import Pacing
from speech.stream.readings import DirectReadings
from speech.transcript import Word, join

QUICK = EndpointConfig(silence_s=0.3, soft_s=1.0, soft_silence_s=0.1, idle_s=1.0, max_s=1.6)
CHOICES = [
    StreamOptions(),
    StreamOptions(languages=("eng",)),
    StreamOptions(languages=("deu", "spa"), interim=False),
    StreamOptions(endpoint=QUICK, max_segment_s=4.0),
    StreamOptions(endpoint=QUICK.limited(None, 1.2), max_segment_s=3.0, targets=("eng",)),
]
SIZES = st.one_of(st.integers(0, 700), *2 * [st.integers(4000, 16_000)], *2 * [st.integers(16_000, 48_000)])


class Contract:
    """Watches the transcripts of one session as they come.

    Attributes:
        seen: transcripts of all sessions so far, and how many of them were final, to show that there were any.
    """

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        self.finals: list[TranscriptEvent] = []
        self._last: TranscriptEvent | None = None

    def check(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, TranscriptEvent):
                self._transcript(event)

    @property
    def open(self) -> bool:
        """Whether a segment has been begun and not been closed by its final."""
        return self._last is not None

    def _transcript(self, event: TranscriptEvent) -> None:
        last = self._last
        self.seen["final" if event.is_final else "partial"] += 1
        assert event.segment == len(self.finals)
        assert event.revision == (0 if last is None else last.revision + 1)
        assert event.text == join(event.words)
        assert 0 <= event.stable <= len(event.words)
        if last is not None:
            assert event.stable >= last.stable
            assert event.words[: last.stable] == last.words[: last.stable]
        starts = [word.start_s for word in event.words]
        assert starts == sorted(starts)
        assert all(word.start_s <= word.end_s for word in event.words)
        self._last = event
        if event.is_final:
            assert event.stable == len(event.words)
            if self.finals:
                assert event.start_s >= self.finals[-1].end_s - 1e-6
            self.finals.append(event)
            self._last = None

    @property
    def words(self) -> list[Word]:
        return [word for event in self.finals for word in event.words]


@dataclass
class Stream:
    """One session and what it has been given."""

    session: LiveStream
    place: int
    plain: StreamOptions | None
    """What it was opened with; None once a flush or update has cut it where no file is cut."""
    heard: list[np.ndarray] = field(default_factory=list)
    contract: Contract = field(default_factory=Contract)
    finished: bool = False


class Sessions(RuleBasedStateMachine):
    """The rules."""

    def __init__(self, engine: Engine, audio: np.ndarray) -> None:
        super().__init__()
        self._engine, self._audio = engine, audio
        self._streams: list[Stream] = []
        self._pacing = Pacing()

    def _drain(self) -> None:
        for stream in self._streams:
            was_over = stream.finished and stream.session.ended and not stream.session.session._writer._events
            events = stream.session.drain()
            assert not (was_over and events)
            stream.contract.check(events)

    def _pick(self, number: int) -> Stream:
        return self._streams[number % len(self._streams)]

    @initialize(choice=st.sampled_from(CHOICES), place=st.integers(0, 100_000))
    def begin(self, choice: StreamOptions, place: int) -> None:
        self._streams.append(Stream(self._engine.open(choice), place, choice))

    @precondition(lambda self: len(self._streams) < 4)
    @rule(choice=st.sampled_from(CHOICES), place=st.integers(0, 100_000))
    def join(self, choice: StreamOptions, place: int) -> None:
        self._streams.append(Stream(self._engine.open(choice), place, choice))

    @precondition(lambda self: self._streams)
    @rule(number=st.integers(0, 3), size=SIZES, work=st.sampled_from(["none", "turn", "all", "ahead", "paced"]))
    def push(self, number: int, size: int, work: str) -> None:
        stream = self._pick(number)
        samples = np.take(self._audio, range(stream.place, stream.place + size), mode="wrap")
        if stream.finished:
            with pytest.raises(SpeechError, match="ended"):
                stream.session.push(samples)
            return
        stream.place += size
        stream.heard.append(samples)
        if work == "ahead":
            for start in range(0, len(samples), 1600):
                stream.session.push(samples[start : start + 1600])
                self._read_ahead()
            self._drain()
            return
        stream.session.push(samples)
        if work == "turn":
            self._engine.turn(self._sessions)
        elif work == "all":
            self._engine.run(self._sessions)
        elif work == "paced":
            self._engine.turn(self._sessions, pacing=self._pacing)
        self._drain()

    @property
    def _sessions(self) -> list[LiveStream]:
        return [stream.session for stream in self._streams]

    def _read_ahead(self) -> None:
        """As the server does: the next part already while its pause goes on."""
        queue = DirectReadings(self._engine.second_pass.read, self._engine.config.batch_s, ahead=True)
        self._engine.turn(self._sessions, queue, self._pacing)
        for session in self._sessions:
            ahead = session.session._parts._ahead
            Contract.seen["expected"] += ahead is not None

    @precondition(lambda self: self._streams)
    @rule(number=st.integers(0, 3))
    def flush(self, number: int) -> None:
        stream = self._pick(number)
        if stream.finished:
            return
        stream.plain = None
        stream.session.push_flush()
        self._engine.run([stream.session])
        self._drain()
        assert not stream.contract.open or stream.session.options.interim

    @precondition(lambda self: self._streams)
    @rule(number=st.integers(0, 3), choice=st.sampled_from(CHOICES))
    def update(self, number: int, choice: StreamOptions) -> None:
        stream = self._pick(number)
        if stream.finished:
            return
        stream.plain = None
        stream.session.update(replace(choice, max_segment_s=stream.session.options.max_segment_s))
        self._drain()

    @precondition(lambda self: self._streams)
    @rule(number=st.integers(0, 3))
    def finish(self, number: int) -> None:
        self._pick(number).session.push_finish()
        self._pick(number).finished = True

    @precondition(lambda self: len(self._streams) > 1)
    @rule(number=st.integers(0, 3))
    def leave(self, number: int) -> None:
        self._streams.remove(self._pick(number))

    def teardown(self) -> None:
        for stream in self._streams:
            stream.session.push_finish()
            stream.finished = True
        self._engine.run(self._sessions)
        self._drain()
        for stream in self._streams:
            assert stream.session.ended
            assert not stream.contract.open
            self._engine.run([stream.session])
            assert stream.session.drain() == []
            if stream.plain is not None:
                samples = np.concatenate([np.empty(0, np.float32), *stream.heard])
                Contract.seen["compared"] += bool(stream.contract.words)
                assert join(stream.contract.words) == self._offline(samples, stream.plain)

    def _offline(self, samples: np.ndarray, options: StreamOptions) -> str:
        """What a file of it says."""
        second = self._engine.second_pass
        request = Request(options.languages)
        reader = OfflineReader(second, OfflineConfig(endpoint=options.endpoint, context_s=options.context_s))
        parts = reader.read([[samples]], request)[0]
        return join([word for heard in parts for word in second.words(heard, request)])


@pytest.fixture(scope="module")
def audio(speech) -> np.ndarray:
    """Speech with pauses of different lengths."""
    gaps = [np.zeros(size, np.float32) for size in (5000, 20_000)]
    return np.concatenate([speech[:40_000], gaps[0], speech[60_000:100_000], gaps[1]])


def test_sessions_of_a_small_model_keep_the_contract(model, tokenizer, audio):
    engine = Engine(FullContextPass(model, tokenizer), EngineConfig(chunk=8, batch=3, batch_s=8.0))
    rules = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
    Contract.seen.clear()
    run_state_machine_as_test(lambda: Sessions(engine, audio), settings=rules)
    assert min(Contract.seen[kind] for kind in ("partial", "final", "compared", "expected")) > 0, Contract.seen


def test_sessions_of_the_embedded_model_keep_the_contract(audio):
    engine = Recognizer.from_pretrained(measured_targets=False).engine()
    rules = settings(max_examples=15, stateful_step_count=20, deadline=None)
    run_state_machine_as_test(lambda: Sessions(engine, audio), settings=rules)
