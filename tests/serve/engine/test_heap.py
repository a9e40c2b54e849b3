"""Freed memory of many threads."""

import ctypes

import pytest

from serve.engine import heap


class Glibc:
    """Records what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.asked.append((parameter, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.asked.append((pad,))
        return 1


def test_glibc_keeps_one_arena_and_returns_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Glibc()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    heap.one_arena()
    heap.trim()
    assert library.asked == [(-8, 1), (0,)]


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    heap.one_arena()
    heap.trim()
