"""How a dialogue is led."""

from __future__ import annotations

from dataclasses import dataclass, field

from speech.dialogue.turns import TurnRules
from speech.ranges import check, ranged


@dataclass(frozen=True, kw_only=True)
class DialogueSettings:
    """How a dialogue is led."""

    rules: TurnRules = field(default_factory=TurnRules)
    judged: bool = True
    """Whether the text decides, too, when a turn is over."""
    automatic: bool = True
    """Whether pauses end turns; otherwise replies are asked for by `respond`."""
    interruptible: bool | None = None
    """Whether speech over our voice interrupts it; None: if `automatic`."""
    lead_s: float = ranged(0.2, least=0.05, most=5.0)
    """Audio that may be with the listener and not played yet."""
    forgets: bool = True
    """Whether a listener that is told `Held` forgets what it has not played."""
    step_s: float = ranged(0.04, least=0.01, most=1.0)
    """Audio that leaves at once."""
    instructions: str = ""
    """What the answering model is told first."""

    def __post_init__(self) -> None:
        check(self, "dialogue")

    @property
    def interrupts(self) -> bool:
        """`interruptible` with its default resolved."""
        return self.automatic if self.interruptible is None else self.interruptible
