import pytest
from live import in_time, next_count, sustained


@pytest.mark.parametrize(
    ("soon", "best"),
    [({}, 0), ({1: True, 2: True}, 2), ({1: True, 4: False, 8: True}, 1), ({1: False}, 0)],
)
def test_sessions_are_sustained_up_to_the_first_number_that_is_late(soon, best):
    assert sustained(soon) == best


@pytest.mark.parametrize(("holds", "tried"), [(5, [1, 2, 4, 8, 6, 5]), (0, [1]), (100, [1, 2, 4, 8, 16])])
def test_numbers_are_doubled_until_they_are_late_and_halved_between(holds, tried):
    soon: dict[int, bool] = {}
    count: int | None = 1
    while count is not None:
        soon[count] = count <= holds
        count = next_count(soon, 16)
    assert list(soon) == tried
    assert sustained(soon) == min(holds, 16)


def test_a_run_without_finals_is_not_in_time():
    assert not in_time({"finals": []}, 1000)


def test_five_of_a_hundred_finals_may_be_late():
    assert in_time({"finals": [0.4] * 96 + [3.0] * 4}, 1000)
    assert not in_time({"finals": [0.4] * 90 + [3.0] * 10}, 1000)
