"""Threads of the text translator: one text of a session and target at a time, complete parts first, none twice."""

import threading

import pytest

from serve.engine.translators import TranslatorThreads
from speech.stream.text_jobs import TextJob, TextPlace
from speech.transcript import Word
from tests.text_translators import Tagging


def job(owner: str, target: str = "fra", *, complete: bool = True) -> TextJob:
    return TextJob(
        place=TextPlace(segment=0, start_s=0.0, heard_s=1.0), part=0, words=(Word(owner, 0.0, 1.0, 1.0, "eng"),),
        source="eng", target=target, complete=complete, append=False, plain=False, owner=owner,
    )  # fmt: skip


class Held(Tagging):
    """Answers once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def translate(self, texts, source, target):
        self.begun.release()
        assert self.go.acquire(timeout=20)
        return super().translate(texts, source, target)


@pytest.fixture
def held():
    return Held()


@pytest.fixture
def threads(held):
    told = threading.Semaphore(0)
    found = TranslatorThreads(held, 1, told.release)
    yield found, told
    for _ in range(10):
        held.go.release()
    found.stop()


def test_texts_are_translated_elsewhere_and_the_caller_is_told(held, threads):
    queue, told = threads
    one = job("a")
    queue.want([one])
    assert held.begun.acquire(timeout=20)
    assert not queue.ready  # `want` has returned long ago
    held.go.release()
    assert told.acquire(timeout=20)
    assert queue.ready
    assert queue.collect() == [one]
    assert one.written == ["fra-a"]
    assert queue.collect() == []


def test_what_waits_is_replaced_and_what_has_begun_is_not_asked_twice(held, threads):
    queue, told = threads
    first, second, newer, other = job("a"), job("a", complete=False), job("b", complete=False), job("b", "ita")
    queue.want([first, job("b", complete=False)])
    assert held.begun.acquire(timeout=20)
    queue.want([first, second, newer, other])
    for _ in range(3):
        held.go.release()
    for _ in range(3):
        assert told.acquire(timeout=20)
    assert queue.collect() == [first, other, newer]  # the complete part goes before the draft
    queue.want([second])
    held.go.release()
    assert told.acquire(timeout=20)
    assert queue.collect() == [second]
    assert [texts for texts, *_ in held.asked] == [("a",), ("b",), ("b",), ("a",)]


def test_threads_stop():
    queue = TranslatorThreads(Tagging(), 2, lambda: None)
    queue.stop()
    assert not any(thread.is_alive() for thread in queue._threads)
