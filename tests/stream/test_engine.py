"""Which work of which sessions is done first, and how much of it at once."""

from types import SimpleNamespace

import numpy as np
import pytest

from speech.stream.engine import Engine, EngineConfig


class Session:
    """One that waits for a part of so many seconds, and writes down what it is given."""

    def __init__(self, name: str, behind_s: float, part_s: float | None, targets: tuple[str, ...] = ()) -> None:
        self.name, self.received_s, self.processed_s = name, behind_s, 0.0
        self.part = None if part_s is None else SimpleNamespace(samples=np.zeros(round(part_s * 16_000)), of=name)
        self.options = SimpleNamespace(
            targets=targets, requests=lambda: [f"{name} asr", *(f"{name} {target}" for target in targets)]
        )
        self.taken: list[str] = []

    def waiting_part(self):
        return self.part

    def take_part(self, heard):
        self.part, self.taken = None, heard

    def waiting_partial(self):
        return None


class Reader:
    """Reads parts, and writes down which together."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def read(self, parts, requests):
        assert [part.of for part in parts] == [request.split()[0] for request in requests]
        self.asked.append(requests)
        return [f"heard for {request}" for request in requests]


@pytest.mark.parametrize(
    ("batch_s", "expected"),
    [
        (1.0, [["b asr"], ["c asr"], ["a asr"]]),
        (4.0, [["b asr", "c asr"], ["a asr"]]),
        (6.0, [["b asr", "c asr", "a asr"]]),
    ],
)
def test_parts_of_those_furthest_behind_are_read_together_as_far_as_they_fit(batch_s, expected):
    reader = Reader()
    engine = Engine(reader, EngineConfig(batch_s=batch_s))
    sessions = [Session("a", 1.0, 1.5), Session("b", 9.0, 2.0), Session("c", 5.0, 1.0), Session("d", 7.0, None)]
    engine.run(sessions)
    assert reader.asked == expected
    assert [session.taken for session in sessions] == [
        ["heard for a asr"],
        ["heard for b asr"],
        ["heard for c asr"],
        [],
    ]


def test_translations_count_as_parts_and_come_back_to_their_session():
    reader = Reader()
    engine = Engine(reader, EngineConfig(batch_s=6.0))
    sessions = [Session("a", 2.0, 2.0, ("spa", "fra")), Session("b", 1.0, 1.0)]
    engine.run(sessions)
    assert reader.asked == [["a asr", "a spa", "a fra"], ["b asr"]]
    assert sessions[0].taken == ["heard for a asr", "heard for a spa", "heard for a fra"]


def test_without_a_first_pass_there_are_no_chunks():
    engine = Engine(Reader(), EngineConfig(chunk=12))
    assert engine.first_pass is None
    assert engine.smallest(fine=True) == engine.smallest(fine=False) == 12
    assert not engine.step([Session("a", 1.0, None)])
    assert not engine.round([])
