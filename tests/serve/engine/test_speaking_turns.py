"""Texts of several clients on one thread: whose pieces are made when, who takes none, who has left, and what fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from serve.engine.deadlines import FIRST_PACKET_S, Playback
from serve.engine.speaking_turns import Piece, SpeakingTurns, TextTurns
from serve.telemetry import Telemetry


class Stage:
    """Turns on one thread, which begins when it is told to, at times that are set."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.telemetry = Telemetry()
        self.pool = ThreadPoolExecutor(1)
        self.turns = SpeakingTurns(self.pool, self.pool, self.telemetry, lambda: self.now_s)
        self.made: list[str] = []
        self._begin = threading.Event()
        self.pool.submit(self._begin.wait, 20)

    def begin(self) -> None:
        self._begin.set()

    def client(self, lead_s: float | None) -> Playback:
        """A client that waits for a first packet, or with so much in reserve."""
        playback = Playback()
        playback.ask(self.now_s)
        if lead_s is not None:
            playback.hand_over(lead_s, self.now_s)
        return playback

    def pieces(self, name: str, count: int, audio_s: float = 1.0) -> Iterator[Piece[str]]:
        for number in range(count):
            self.made.append(name)
            yield Piece(f"{name}{number}", audio_s)

    def value(self, name: str) -> float:
        return self.telemetry.registry.get_sample_value(name) or 0.0


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.begin()
    made.pool.shutdown(cancel_futures=True)


async def all_of[T](text: TextTurns[T]) -> list[T]:
    found = []
    while (piece := await text.next()) is not None:
        found.append(piece)
    return found


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def test_who_runs_out_first_is_said_first_and_each_gets_its_pieces_in_order(stage):
    async def conversation() -> list[list[str]]:
        texts = [
            stage.turns.say(stage.pieces("a", 2), stage.client(5.0)),
            stage.turns.say(stage.pieces("b", 2), stage.client(None)),
            stage.turns.say(stage.pieces("c", 2, 0.1), stage.client(FIRST_PACKET_S - 0.25)),
        ]
        stage.begin()
        return await asyncio.gather(*(all_of(text) for text in texts))

    assert asyncio.run(conversation()) == [["a0", "a1"], ["b0", "b1"], ["c0", "c1"]]
    assert stage.made == list("ccbbaa")


def test_the_next_turn_may_be_the_same_client_s_before_it_has_taken_its_piece(stage):
    """The event loop, which alone can take pieces, waits while turns are given."""

    async def conversation() -> None:
        near = stage.turns.say(stage.pieces("a", 2, 0.1), stage.client(0.1))
        far = stage.turns.say(stage.pieces("b", 2), stage.client(2.0))
        stage.begin()
        stage.pool.submit(int).result(20)
        for _ in range(20):
            stage.pool.submit(int).result(20)
        assert stage.made[:3] == list("aab")
        assert await all_of(near) == ["a0", "a1"]
        assert await all_of(far) == ["b0", "b1"]

    asyncio.run(conversation())


def test_who_takes_no_pieces_gets_no_turns_and_goes_on_when_it_does(stage):
    async def conversation() -> None:
        slow = stage.turns.say(stage.pieces("a", 50, 0.001), stage.client(0.0))
        quick = stage.turns.say(stage.pieces("b", 50), stage.client(9.0))
        stage.begin()
        assert len(await all_of(quick)) == 50
        assert stage.made.count("a") == 2
        assert await slow.next() == "a0"
        await until(lambda: stage.made.count("a") == 3)
        assert len(await all_of(slow)) == 49

    asyncio.run(conversation())


def test_who_has_left_gets_no_more_turns_and_its_pieces_are_closed(stage):
    closed = threading.Event()

    def endless() -> Iterator[Piece[str]]:
        try:
            while True:
                yield from stage.pieces("a", 1, 0.001)
        finally:
            closed.set()

    async def conversation() -> None:
        unsaid = stage.turns.say(stage.pieces("never", 3), stage.client(0.0))
        unsaid.leave()
        gone = stage.turns.say(endless(), stage.client(0.1))
        stage.begin()
        assert await gone.next() == "a0"
        gone.leave()
        gone.leave()
        assert await asyncio.to_thread(closed.wait, 20)
        assert await gone.next() is None
        count = len(stage.made)
        assert await all_of(stage.turns.say(stage.pieces("b", 3), stage.client(9.0))) == ["b0", "b1", "b2"]
        assert len(stage.made) == count + 3

    asyncio.run(conversation())
    assert "never" not in stage.made


def test_what_is_under_way_when_its_client_leaves_is_dropped(stage):
    begun, hold = threading.Event(), threading.Event()

    def held() -> Iterator[Piece[str]]:
        begun.set()
        hold.wait(20)
        yield from stage.pieces("a", 3)

    async def conversation() -> None:
        playback = stage.client(None)
        gone = stage.turns.say(held(), playback)
        stage.begin()
        assert await asyncio.to_thread(begun.wait, 20)
        gone.leave()
        hold.set()
        assert await all_of(stage.turns.say(stage.pieces("b", 1), stage.client(None))) == ["b0"]
        assert await gone.next() is None

    asyncio.run(conversation())
    assert stage.made == ["a", "b"]
    assert stage.value("speech_spoken_seconds_total") == 1.0


def test_an_error_comes_behind_the_pieces_before_it_and_harms_no_other(stage):
    def failing() -> Iterator[Piece[str]]:
        yield from stage.pieces("a", 1)
        raise ValueError("no more")

    async def conversation() -> None:
        text, other = (stage.turns.say(pieces, stage.client(None)) for pieces in (failing(), stage.pieces("b", 2)))
        stage.begin()
        assert await text.next() == "a0"
        for _ in range(2):
            with pytest.raises(ValueError, match="no more"):
                await text.next()
        assert await all_of(other) == ["b0", "b1"]

    asyncio.run(conversation())


@pytest.mark.parametrize("closed", [False, True])
def test_nobody_waits_for_turns_that_will_not_be(stage, closed):
    async def conversation() -> None:
        if closed:
            stage.pool.shutdown(wait=False)
        text = stage.turns.say(stage.pieces("a", 1), stage.client(None))
        stage.pool.shutdown(wait=False, cancel_futures=True)
        stage.begin()
        with pytest.raises(RuntimeError, match="the server ends"):
            await asyncio.wait_for(text.next(), 20)

    asyncio.run(conversation())
    assert stage.made == []


def test_first_and_late_packets_are_counted(stage):
    def timed() -> Iterator[Piece[str]]:
        for at_s, audio_s in ((0.25, 0.0), (0.5, 0.2), (0.75, 1.0), (1.0, 0.5)):
            stage.now_s = at_s
            yield Piece("", audio_s)

    async def conversation() -> None:
        text = stage.turns.say(timed(), stage.client(None))
        stage.begin()
        await all_of(text)

    asyncio.run(conversation())
    assert stage.value("speech_first_packet_seconds_sum") == 0.5
    assert stage.value("speech_first_packet_seconds_count") == 1
    assert stage.value("speech_spoken_seconds_total") == pytest.approx(1.7)
    assert stage.value("speech_late_packets_total") == 1


def test_a_first_packet_waits_for_half_a_second_of_audio_if_others_want_turns(stage):
    """New clients have two packets with their first turn; one that plays has one with each."""

    async def conversation() -> None:
        texts = [
            stage.turns.say(stage.pieces(name, 4, 0.4), stage.client(lead_s))
            for name, lead_s in [("a", None), ("b", None), ("c", 9.0)]
        ]
        stage.begin()
        await asyncio.gather(*(all_of(text) for text in texts))

    asyncio.run(conversation())
    assert stage.made[:4] == list("aabb")
    assert sorted(stage.made) == list("aaaabbbbcccc")


def test_an_error_behind_a_first_packet_that_waits_comes_behind_it(stage):
    def failing() -> Iterator[Piece[str]]:
        yield from stage.pieces("a", 1, 0.4)
        raise ValueError("no more")

    async def conversation() -> None:
        text = stage.turns.say(failing(), stage.client(None))
        other = stage.turns.say(stage.pieces("b", 1), stage.client(None))
        stage.begin()
        assert await text.next() == "a0"
        with pytest.raises(ValueError, match="no more"):
            await text.next()
        assert await all_of(other) == ["b0"]

    asyncio.run(conversation())


def test_a_text_that_is_alone_has_the_thread_for_that():
    turns = SpeakingTurns(pool := ThreadPoolExecutor(2, "many"), alone := ThreadPoolExecutor(1, "alone"), Telemetry())
    met = threading.Barrier(2)

    def pieces(together: int) -> Iterator[Piece[str]]:
        for number in range(4):
            if number < together:
                met.wait(20)
            yield Piece(threading.current_thread().name.partition("_")[0], 1.0)

    def text(together: int) -> TextTurns[str]:
        return turns.say(pieces(together), Playback())

    async def conversation() -> None:
        assert await all_of(text(0)) == ["alone"] * 4
        first, second = await asyncio.gather(all_of(text(2)), all_of(text(2)))
        assert {first[0], second[0]} == {"alone", "many"}  # nobody else was there when the first one came
        assert await all_of(text(0)) == ["alone"] * 4

    asyncio.run(conversation())
    pool.shutdown()
    alone.shutdown()
