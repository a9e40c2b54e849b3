"""Numbers of configurations are finite and within what their field declares; errors name the field by its path."""

import dataclasses
import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.errors import ConfigError
from speech.ranges import Range, check, range_of, ranged, within


@dataclass
class Inner:
    rate: float = ranged(1.0, above=0)
    sizes: list[int] = field(default_factory=lambda: [1], metadata=within(Range(least=1, count=(1, 2))))
    share: float | None = ranged(None, least=0, most=1)
    free: float = 0.0
    on: bool = True
    name: str = ""


@dataclass
class Outer:
    inner: Inner = field(default_factory=Inner)
    steps: int = ranged(3, least=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": math.nan}, "inner.rate is nan, expected more than 0"),
        ({"rate": 0.0}, "inner.rate 0, expected more than 0"),
        ({"rate": math.inf}, "inner.rate is inf, expected more than 0"),
        ({"sizes": []}, "inner.sizes has 0 numbers, expected at least 1"),
        ({"sizes": [1, 2, 3]}, "inner.sizes has 3 numbers"),
        ({"sizes": [4, 0]}, "inner.sizes[1] 0, expected at least 1"),
        ({"share": 1.5}, "inner.share 1.5, expected 0 to 1"),
        ({"free": -math.inf}, "inner.free is -inf, expected a finite number"),
    ],
)
def test_the_field_its_value_and_what_it_may_be_are_named(change, said):
    with pytest.raises(ConfigError) as error:
        check(Outer(Inner(**change)))
    assert str(error.value).startswith(said)


def test_what_is_in_range_passes_whatever_else_there_is():
    check(Outer(Inner(share=0.5, sizes=[1, 9], free=-7.0, on=False, name="nan")))
    with pytest.raises(ConfigError, match=r"^steps 0, expected at least 1$"):
        check(Outer(steps=0))
    with pytest.raises(ConfigError, match=r"^trainer\.steps 0,"):
        check(Outer(steps=0), "trainer")


@given(
    value=st.floats(), least=st.none() | st.floats(-9, 9), above=st.none() | st.floats(-9, 9),
    most=st.none() | st.floats(-9, 9), below=st.none() | st.floats(-9, 9),
)  # fmt: skip
def test_a_range_holds_what_its_bounds_say(value, least, above, most, below):
    found = value in Range(least=least, above=above, most=most, below=below)
    rules = [math.isfinite(value)]
    rules += [value >= least] if least is not None else []
    rules += [value > above] if above is not None else []
    rules += [value <= most] if most is not None else []
    rules += [value < below] if below is not None else []
    assert found == all(rules)


def test_a_range_belongs_to_its_field():
    fields = {one.name: one for one in dataclasses.fields(Inner)}
    assert range_of(fields["rate"]) == Range(above=0)
    assert range_of(fields["free"]) == Range()
    assert str(Range(least=0, below=1)) == "at least 0 and less than 1"
