"""How a translation is said."""

from __future__ import annotations

from dataclasses import dataclass

from speech.errors import ConfigError
from speech.ranges import check, ranged


@dataclass(frozen=True, kw_only=True)
class InterpretSettings:
    """How a translation is said while the speaker goes on.

    Raises:
        ConfigError: if a value is out of range, or `late_s` is not above `easy_s`.
    """

    rate: float = ranged(1.0, least=0.75, most=1.5)
    """Of our voice, before what follows."""
    carry_rate: bool = True
    """Whether it speaks slowly or fast as the speaker does."""
    carry_pauses: bool = True
    """Whether it pauses where the speaker does."""
    patience_s: float = ranged(2.0, least=0.2, most=20.0)
    """Seconds for which words wait for the end of their clause while our voice is silent."""
    least_words: int = ranged(4, least=1, most=20)
    """Of a clause that is said before its sentence ends."""
    fastest: float = ranged(1.2, least=1.0, most=1.5)
    """How much faster it speaks, at most, where it is behind."""
    easy_s: float = ranged(1.0, least=0.0, most=30.0)
    """Seconds behind up to which it does not hurry."""
    late_s: float = ranged(3.0, least=0.1, most=60.0)
    """Seconds behind from which it speaks as fast as it may."""
    longest_pause_s: float = ranged(2.0, least=0.0, most=10.0)
    ahead_s: float = ranged(0.7, least=0.0, most=5.0)
    """Seconds of our voice still to be heard when the next text is given to it. More merges less, less makes gaps."""

    def __post_init__(self) -> None:
        check(self, "interpreting")
        if self.late_s <= self.easy_s:
            raise ConfigError(
                f"late_s {self.late_s:g} is not above easy_s {self.easy_s:g}", fix="Give a larger late_s."
            )
