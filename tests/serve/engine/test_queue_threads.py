"""Queue threads: what is wanted is done in order, once, in batches, on threads or at once, and can be collected."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from serve.engine.queue_threads import QueueThreads


@dataclass(eq=False)
class Number:
    key: int
    square: int | None = None


class Squares(QueueThreads[Number]):
    """Squares numbers, two at a time, once it is let."""

    def __init__(self, threads: int, stop_s: float = 20) -> None:
        self.begun, self.go, self.told = threading.Semaphore(0), threading.Semaphore(0), threading.Semaphore(0)
        self.done: list[list[int]] = []
        self.learnt: list[list[int | None]] = []
        super().__init__("squares", threads, self.told.release, stop_s)

    def _batch(self, wanted: Sequence[Number]) -> int:
        return min(2, len(wanted))

    def _do(self, batch: Sequence[Number]) -> None:
        self.done.append([number.key for number in batch])
        self.begun.release()
        assert not self._threads or self.go.acquire(timeout=20)
        for number in batch:
            number.square = number.key**2

    def _finished(self, batch: Sequence[Number]) -> None:
        self.learnt.append([number.square for number in batch])


def numbers(*keys: int) -> list[Number]:
    return [Number(key) for key in keys]


def finished(squares: Squares) -> list[int | None]:
    squares.go.release()
    assert squares.told.acquire(timeout=20)
    return [number.square for number in squares.collect()]


def test_without_threads_it_is_done_at_once_in_batches():
    squares = Squares(0)
    squares.want(numbers(1, 2, 3))
    assert squares.ready
    assert [number.square for number in squares.collect()] == [1, 4, 9]
    assert squares.done == [[1, 2], [3]]
    assert squares.learnt == [[1, 4], [9]]
    assert squares.collect() == []
    assert not squares.ready


def test_on_a_thread_what_waits_is_replaced_and_what_has_begun_is_not_done_twice():
    squares = Squares(1)
    squares.want(numbers(1, 2, 3))
    assert squares.begun.acquire(timeout=20)
    assert not squares.ready
    squares.want(numbers(4, 2, 5, 6))  # 2 is under way, 3 is wanted no more
    assert finished(squares) == [1, 4]
    assert finished(squares) == [16, 25]
    assert finished(squares) == [36]
    assert squares.done == [[1, 2], [4, 5], [6]]
    squares.want(numbers(2))  # collected: may be wanted again
    assert finished(squares) == [4]
    squares.stop()


def test_what_waits_to_be_collected_is_not_done_again():
    squares = Squares(1)
    squares.want(numbers(1))
    squares.go.release()
    assert squares.told.acquire(timeout=20)
    squares.want(numbers(1, 2))
    assert finished(squares) == [1, 4]
    assert squares.done == [[1], [2]]
    squares.stop()


def test_threads_stop_after_their_batch_and_leave_the_rest():
    squares = Squares(2, stop_s=0)
    threads = list(squares._threads)
    assert {thread.name for thread in threads} == {"squares"}
    squares.want(numbers(1, 2, 3, 4, 5, 6))
    for _ in threads:
        assert squares.begun.acquire(timeout=20)
    squares.stop()  # does not wait
    squares.go.release(2)
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert squares.done in ([[1, 2], [3, 4]], [[3, 4], [1, 2]])
    assert len(squares.collect()) == 4
