from types import SimpleNamespace

from timing import Spent, Stopwatch


def test_time_of_an_inner_section_is_not_the_outer_ones():
    ticks = iter([0.0, 1.0, 3.0, 7.0])
    watch = Stopwatch(lambda: next(ticks))
    with watch.section("outer"), watch.section("inner"):
        pass
    assert watch.seconds == {"outer": 1.0 + 4.0, "inner": 2.0}


def test_a_watched_method_is_counted_and_gives_what_it_gave():
    owner = SimpleNamespace(double=lambda x: 2 * x)
    watch = Stopwatch(lambda: 0.0)
    watch.within(owner, "double", "doubling")
    assert (owner.double(4), watch.calls["doubling"]) == (8, 1)
    watch.clear()
    assert not watch.calls


def test_what_is_spent_adds_up_and_is_told_for_each_second_of_audio():
    assert (Spent(1.0, 2.0) + Spent(3.0, 4.0)).per(8.0) == {"wall": 0.5, "cpu": 0.75}
