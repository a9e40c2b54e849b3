"""Freed memory of many threads."""

import ctypes
import sys

import pytest

from serve.engine import heap


def test_glibc_is_told_to_keep_one_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[tuple[int, int]]()

    class Library:
        @staticmethod
        def mallopt(parameter: int, value: int) -> int:
            asked.append((parameter, value))
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Library)
    monkeypatch.setattr(sys, "platform", "linux")
    assert heap.one_arena()
    assert asked == [(-8, 1)]


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    monkeypatch.setattr(sys, "platform", "linux")
    assert not heap.one_arena()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not heap.one_arena()
