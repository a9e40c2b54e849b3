"""Ctrl-C is raised between batches, never within one; the second one at once."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from speech.train.loop.interruption import Interruption


def test_an_interrupt_waits_for_the_end_of_the_batch():
    interruption, done = Interruption(), []
    before = signal.getsignal(signal.SIGINT)

    def batch() -> None:
        with interruption.awaited():
            interruption.on_train_batch_end()
            signal.raise_signal(signal.SIGINT)
            done.append("batch")
            interruption.on_train_batch_end()
            done.append("next")

    with pytest.raises(KeyboardInterrupt):
        batch()
    assert done == ["batch"]
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        interruption.on_validation_batch_end()


def test_the_second_is_raised_at_once():
    interruption, done = Interruption(), []

    def impatient() -> None:
        with interruption.awaited():
            signal.raise_signal(signal.SIGINT)
            done.append("first")
            signal.raise_signal(signal.SIGINT)
            done.append("second")

    with pytest.raises(KeyboardInterrupt):
        impatient()
    assert done == ["first"]


@pytest.mark.parametrize("error", [RuntimeError("a worker exited"), SystemExit(1)])
def test_an_error_after_it_is_its_consequence_and_one_without_it_is_itself(error):
    def run(*, interrupted: bool) -> None:
        with Interruption().awaited():
            if interrupted:
                signal.raise_signal(signal.SIGINT)
            raise error

    with pytest.raises(KeyboardInterrupt) as raised:
        run(interrupted=True)
    assert raised.value.__cause__ is error
    with pytest.raises(type(error)):
        run(interrupted=False)


def test_it_is_not_lost_where_no_batch_follows():
    with pytest.raises(KeyboardInterrupt), Interruption().awaited():
        signal.raise_signal(signal.SIGINT)


def test_other_threads_have_no_signals():
    def elsewhere() -> str:
        with Interruption().awaited():
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere).result() == "done"
