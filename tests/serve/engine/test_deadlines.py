"""Whose turn it is: deadlines in order, nobody starves, who has left gets none; fewer gaps than by turns in a row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.engine.deadlines import FIRST_PACKET_S, EarliestDeadline, HandedOver, Playback

TIMES = st.floats(0, 100)


def test_a_first_packet_is_waited_for_and_each_later_one_is_needed_when_those_before_it_have_been_played():
    one = Playback()
    one.ask(10.0)
    assert one.due_s == 10 + FIRST_PACKET_S
    assert one.hand_over(0.5, 12.0) == HandedOver(first_s=2.0)
    assert one.due_s == 12.5
    assert one.hand_over(1.0, 12.2) == HandedOver()
    assert one.due_s == 13.5
    assert one.hand_over(0.25, 14.0) == HandedOver(late_s=0.5)
    assert one.due_s == 14.25


def test_who_has_heard_all_waits_for_a_first_packet_again_and_who_has_not_does_not():
    one = Playback()
    one.ask(0.0)
    one.ask(1.0)  # what came first was no sentence
    assert one.hand_over(2.0, 1.5) == HandedOver(first_s=0.5)
    one.ask(3.0)
    assert one.due_s == 3.5
    one.ask(4.0)
    assert one.due_s == 4 + FIRST_PACKET_S
    assert one.hand_over(1.0, 9.0) == HandedOver(first_s=5.0)


@given(st.lists(st.tuples(st.floats(0.01, 2), st.floats(0, 2)), min_size=1))
def test_deadlines_are_only_put_off_and_silence_adds_up(packets):
    """A player of samples, one after the other, is silent as long as packets are late."""
    one, now, silent = Playback(), 0.0, 0.0
    one.ask(now)
    played_up_to = None
    for audio_s, pause_s in packets:
        now, before = now + pause_s, one.due_s
        handed = one.hand_over(audio_s, now)
        if played_up_to is not None:
            assert one.due_s > before
            silent += max(now - played_up_to, 0)
            played_up_to = max(now, played_up_to)
        else:
            played_up_to = now
        played_up_to += audio_s
        assert one.due_s == pytest.approx(played_up_to)
        assert handed.late_s >= 0
        silent -= handed.late_s
    assert silent == pytest.approx(0, abs=1e-6)


@given(st.lists(TIMES))
def test_turns_are_in_the_order_of_deadlines_and_of_equal_ones_in_that_of_coming(deadlines):
    line = EarliestDeadline[int]()
    for number, due_s in enumerate(deadlines):
        line.wait(number, due_s)
    assert len(line) == len(deadlines)
    assert list(iter(line.take, None)) == sorted(range(len(deadlines)), key=lambda number: (deadlines[number], number))


@given(st.lists(st.tuples(TIMES, st.booleans())))
def test_who_has_left_gets_no_turn(clients):
    line = EarliestDeadline[int]()
    for number, (due_s, _) in enumerate(clients):
        line.wait(number, due_s)
    for number, (_, leaves) in enumerate(clients):
        if leaves:
            line.leave(number)
            line.leave(number)
    assert {*iter(line.take, None)} == {number for number, (_, leaves) in enumerate(clients) if not leaves}


@dataclass
class Client:
    """One text after the other, each as soon as the one before it is over."""

    texts: list[list[tuple[float, float]]]
    """Of each turn: seconds that it takes, and of its audio."""
    playback: Playback = field(default_factory=Playback)
    turns: list[tuple[float, float]] = field(default_factory=list)
    came: float = 0.0
    """When it began to wait for its turn."""


@dataclass(frozen=True)
class Heard:
    """What clients have heard."""

    firsts_s: list[float]
    late_s: list[float]
    waits_s: list[float]
    """From each wish for a turn to its end."""


def said(clients: Sequence[Client], order: Callable[[Client], float]) -> Heard:
    """All texts on one thread; the waiting client with the smallest `order` has the next turn."""
    now, heard = 0.0, Heard([], [], [])
    waiting: list[Client] = []
    for client in clients:
        begin(client, now, waiting)
    while waiting:
        line = EarliestDeadline[int]()
        for number, client in enumerate(waiting):
            line.wait(number, order(client))
        chosen = line.take()
        assert chosen is not None
        client = waiting.pop(chosen)
        cost_s, audio_s = client.turns.pop(0)
        now += cost_s
        heard.waits_s.append(now - client.came)
        if audio_s:
            handed = client.playback.hand_over(audio_s, now)
            heard.late_s.append(handed.late_s)
            if handed.first_s is not None:
                heard.firsts_s.append(handed.first_s)
        begin(client, now, waiting)
    return heard


def begin(client: Client, now: float, waiting: list[Client]) -> None:
    if not client.turns and client.texts:
        client.turns, client.playback = client.texts.pop(0), Playback()
        client.playback.ask(now)
    client.came = now
    if client.turns:
        waiting.append(client)


def sentence(frames: int) -> list[tuple[float, float]]:
    """Turns of the voice of the package: durations, curves, then windows, which have 10 frames besides their own."""
    turns, size = [(0.075, 0.0), (0.06, 0.0)], 8
    while frames > 0:
        turns.append((0.0032 * (min(size, frames) + 10), min(size, frames) / 40))
        frames, size = frames - size, min(2 * size, 40)
    return turns


def crowd(count: int, texts: int) -> list[Client]:
    lengths = itertools.cycle((196, 110, 260, 150, 330, 90, 180))
    return [Client([sentence(next(lengths)) for _ in range(texts)]) for _ in range(count)]


def test_four_clients_hear_fewer_gaps_than_by_turns_in_a_row_and_begin_sooner():
    deadlines = said(crowd(4, 30), lambda client: client.playback.due_s)
    in_a_row = said(crowd(4, 30), lambda client: client.came)
    assert sum(in_a_row.late_s) > 20
    assert sum(deadlines.late_s) < 0.1 * sum(in_a_row.late_s)
    for share in (0.5, 0.95):
        place = round(share * 119)
        assert sorted(deadlines.firsts_s)[place] < sorted(in_a_row.firsts_s)[place]


def test_a_burst_of_new_clients_neither_silences_those_that_hear_something_nor_starves():
    hears = [Client([sentence(400)]) for _ in range(2)]
    for client in hears:
        client.playback.ask(0.0)
        client.playback.hand_over(0.3, 0.0)
    new = crowd(3, 1)

    def begun(client: Client) -> float:
        return client.playback.due_s

    waiting = [*hears, *new]
    for client in new:
        client.playback.ask(0.0)
    assert min(waiting, key=begun) in hears
    for client in hears:
        client.playback.hand_over(1.0, 0.2)
    assert min(waiting, key=begun) in new
    assert max(said(crowd(8, 10), begun).waits_s) < 12


@given(
    st.lists(st.tuples(st.floats(-5, 20), st.floats(0.01, 0.5), st.floats(0.05, 1.0)), max_size=6),
    st.floats(0, 10),
    st.floats(0.01, 0.3),
)
def test_nobody_starves(others, lead_s, every_s):
    """Who waits is overtaken by each other one only up to its own deadline, though all are late and more keep coming,
    whose texts never end."""
    waits, playing = Playback(), []
    for client, reserve_s in ((waits, lead_s + 1e-3), *((Playback(), max(other[0], 0.0) + 1e-3) for other in others)):
        client.ask(0.0)
        client.hand_over(reserve_s, 0.0)
        playing.append(client)
    most = [
        max((waits.due_s - one.due_s) / audio_s, 0) + 1
        for one, (_, _, audio_s) in zip(playing[1:], others, strict=True)
    ]
    kinds, turns = [(0.0, 0.0), *((cost_s, audio_s) for _, cost_s, audio_s in others)], [0] * len(playing)
    now, came = 0.0, 0.0
    while True:
        chosen = min(range(len(playing)), key=lambda number: playing[number].due_s)
        if chosen == 0:
            break
        turns[chosen] += 1
        cost_s, audio_s = kinds[chosen]
        now += cost_s
        playing[chosen].hand_over(audio_s, now)
        while came + every_s < now:
            came += every_s
            playing.append(Playback())
            playing[-1].ask(now)
            kinds.append((0.2, 0.2))
            turns.append(0)
    assert all(count <= limit + 1e-6 for count, limit in zip(turns[1 : len(most) + 1], most, strict=True))
