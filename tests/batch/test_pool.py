"""Who of some workers has a file, and what a reader says of it."""

from dataclasses import dataclass

import pytest

from speech.batch.pool import Workers, answer
from speech.errors import AudioError
from speech.transcript import Transcript


@dataclass
class Worker:
    path: str | None = None


class Pool(Workers[Worker]):
    def __init__(self, count: int) -> None:
        self._workers = [Worker() for _ in range(count)]


def test_a_file_is_given_to_a_worker_that_has_none():
    pool = Pool(2)
    assert (pool.free, pool.busy) == (2, 0)
    first = pool._give("a.wav")
    second = pool._give("b.wav")
    assert first is not second
    assert (first.path, second.path) == ("a.wav", "b.wav")
    assert (pool.free, pool.busy) == (0, 2)
    first.path = None
    assert pool._give("c.wav") is first
    with pytest.raises(StopIteration):
        pool._give("d.wav")


def test_whatever_a_reader_raises_is_an_answer():
    transcript = Transcript("x", "eng", 1.0, "asr", 1.0, ())
    assert answer(lambda path: transcript, "a.wav") is transcript
    refused = AudioError("is not audio", where="a.wav")

    def refuse(path: str) -> Transcript:
        raise refused

    def fail(path: str) -> Transcript:
        raise KeyError("odd")

    assert answer(refuse, "a.wav") is refused
    assert str(answer(fail, "a\n.wav")) == "a\\n.wav: could not be read: KeyError: 'odd'"


def test_an_interruption_is_no_answer():
    def interrupted(path: str) -> Transcript:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer(interrupted, "a.wav")
