"""Whose turn it is: when somebody has finished, and whether what they say over our voice interrupts it.

Pure: audio events of a live session in, decisions out. Times are seconds of the user's audio.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from speech.decode.endpoint import EndpointConfig
from speech.errors import ConfigError
from speech.ranges import check, ranged

_SURE_WORDS = 3
EndJudge = Callable[[str, str | None, float | None], float]
"""The probability that a turn is over: its text, its language if known (ISO 639-3), and the log-odds by voice, see
`EndpointEvent.over`, if there are any."""
Listening = Callable[[str, str | None, float, float], bool]
"""Whether words over our voice only say that somebody listens: their text, its language if known, how sure the least
sure of them is (0 to 1), and the seconds in which they were said."""


@dataclass(frozen=True, kw_only=True)
class TurnRules:
    """When turns end and what interrupts. Durations in seconds."""

    pause_s: float = ranged(0.5, least=0.1, most=5.0)
    """Pause that ends a turn that is not judged."""
    sure_pause_s: float = ranged(0.25, least=0.1, most=5.0)
    """Pause that ends a turn of which the model is sure that it is over."""
    doubtful_pause_s: float = ranged(1.1, least=0.1, most=10.0)
    """Pause that ends a turn of which the model is sure that it goes on."""
    sure: float = ranged(0.9, above=0.0, below=1.0)
    """Probability from which on the model is sure that a turn is over."""
    doubtful: float = ranged(0.6, above=0.0, below=1.0)
    """Probability up to which it is sure that the turn goes on."""
    deaf_s: float = ranged(1.5, least=0.2, most=10.0)
    """Speech over our voice in which no words are recognised for so long is noise."""

    unsure_s: float = ranged(1.0, least=0.0, most=10.0)
    """Speech over our voice that is shorter, and has less than three words, is judged by its final text."""
    second_word_s: float = ranged(0.5, least=0.0, most=5.0)
    """Pause behind speech over our voice that does not interrupt it, in which more may follow."""

    def __post_init__(self) -> None:
        check(self, "turns")
        if not self.sure_pause_s <= self.pause_s <= self.doubtful_pause_s:
            raise ConfigError(
                f"pauses of {self.sure_pause_s:g}, {self.pause_s:g} and {self.doubtful_pause_s:g} s",
                where="turns",
                fix="Let sure_pause_s <= pause_s <= doubtful_pause_s.",
            )
        if self.doubtful >= self.sure:
            what = f"doubtful {self.doubtful:g}, sure {self.sure:g}"
            raise ConfigError(what, where="turns", fix="Let doubtful < sure.")

    def pause_after(self, probability: float | None) -> float:
        """The pause that ends a turn; `probability` that it is over, None: not judged.

        If pauses within turns die out exponentially, and an answer that comes too early costs so much, and each second
        of waiting so much, then the pause with the least expected cost falls linearly with the log-odds. Here it falls
        from `doubtful_pause_s` to `sure_pause_s`.
        """
        if probability is None:
            return self.pause_s
        if probability >= self.sure or probability <= self.doubtful:
            return self.sure_pause_s if probability >= self.sure else self.doubtful_pause_s
        doubtful, sure, own = (math.log(one / (1 - one)) for one in (self.doubtful, self.sure, probability))
        share = (own - doubtful) / (sure - doubtful)
        return self.doubtful_pause_s + (self.sure_pause_s - self.doubtful_pause_s) * share


def turn_parts(sure_pause_s: float, pause_s: float) -> EndpointConfig:
    """Rules of the segments of a dialogue: they end at the shortest pause that may end a turn, so that its text is then
    there; where a word may still die away, at a usual one.

    Args:
        sure_pause_s: the shortest pause, in seconds.
        pause_s: a usual one.
    """
    usual = EndpointConfig()
    return replace(usual.limited(sure_pause_s, usual.max_s), murmured_s=max(pause_s, sure_pause_s))


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What somebody has said before it is our turn."""

    text: str
    language: str | None
    """Of most of its words."""
    speech_end_s: float
    """Where its last speech ends."""


class TurnTaking:
    """Collects what the user says until their turn is over.

    Args:
        rules: pauses; may be changed.
        end_of_turn: judges texts; None: pauses decide alone. It may be changed.

    Attributes:
        speaking: whether the user speaks, by voice activity.
    """

    def __init__(self, rules: TurnRules, end_of_turn: EndJudge | None = None) -> None:
        self.rules, self.end_of_turn = rules, end_of_turn
        self.speaking = False
        self._finals: list[tuple[str, str | None]] = []
        self._kept = 0
        """Number of finals that are not forgotten."""
        self._pending = False
        """Whether speech has been heard whose final has not come."""
        self._speech_end_s, self._pause_s = 0.0, rules.pause_s
        self._heard: float | None = None
        """What the voice said at the last endpoint."""

    def started(self) -> None:
        """Speech has started."""
        self.speaking = self._pending = True

    def stopped(self, at_s: float) -> None:
        """Speech has ended at `at_s`."""
        self.speaking = False
        self._speech_end_s = at_s

    def endpoint(self, speech_end_s: float, heard: float | None = None) -> None:
        """A segment has ended, whose text, if it has one, follows at once; `heard`: what the voice says of the end."""
        self._pending, self._heard = self.speaking, heard
        self._speech_end_s = max(self._speech_end_s, speech_end_s)

    def final(self, text: str, language: str | None, *, goes_on: bool = False) -> bool:
        """A segment's final text has come; `goes_on`: speech goes on behind it.

        Returns:
            Whether the turn is complete if nothing follows: then its answer can be prepared.
        """
        if not text:
            return False
        self._finals.append((text, language))
        self._pending = self.speaking
        if goes_on or not self.complete:
            return False
        turn = self.so_far()
        judged = None if self.end_of_turn is None else self.end_of_turn(turn.text, turn.language, self._heard)
        self._pause_s = self.rules.pause_after(judged)
        return True

    def so_far(self) -> UserTurn:
        """The turn as if it ended here."""
        text = " ".join(text for text, _ in self._finals)
        weights: dict[str | None, int] = {}
        for part, language in self._finals:
            weights[language] = weights.get(language, 0) + len(part)
        language = max(weights, key=weights.__getitem__) if weights else None
        return UserTurn(text, language, self._speech_end_s)

    @property
    def speech_end_s(self) -> float:
        """Where the last speech that has ended ends."""
        return self._speech_end_s

    @property
    def empty(self) -> bool:
        """Whether nothing has been said in this turn."""
        return not self._finals

    @property
    def complete(self) -> bool:
        """Whether all that has been heard in this turn is text."""
        return bool(self._finals) and not self.speaking and not self._pending

    def over(self, received_s: float) -> bool:
        """Whether the turn is over once audio up to `received_s` has been heard."""
        return self.complete and received_s - self._speech_end_s >= self._pause_s

    def settle(self) -> UserTurn:
        """End the turn, and begin the next."""
        turn = self.so_far()
        self._finals.clear()
        self._kept = 0
        return turn

    def keep(self) -> None:
        """What has been said in this turn so far is not forgotten."""
        self._kept = len(self._finals)

    def forget(self) -> bool:
        """Forget what has been said since `keep`; returns whether that was anything."""
        said = len(self._finals) > self._kept
        del self._finals[self._kept :]
        return said

    def reopen(self, turn: UserTurn) -> None:
        """A turn that was ended goes on: its text is part of the one under way."""
        self._finals.insert(0, (turn.text, turn.language))
        self._kept += 1


class OverSpeech:
    """Speech over our voice, until it is known what it is.

    Args:
        begin_s: where it begins.
        rules: how long it may be without words, or with a few that may yet be others.
    """

    def __init__(self, begin_s: float, rules: TurnRules) -> None:
        self._begin_s = self._since_s = begin_s
        self._rules, self._worded = rules, False
        self._texts: list[str] = []
        self._goes_on_s: float | None = None

    def worded(self) -> None:
        """It has words."""
        self._worded = True

    def again(self, at_s: float) -> None:
        """More is said from `at_s` on."""
        self._since_s, self._worded, self._goes_on_s = at_s, False, None

    def text_with(self, text: str) -> str:
        """All that has been said so far, with `text` behind it."""
        return " ".join([*self._texts, text])

    def listened(self, text: str) -> None:
        """What has been said so far does not interrupt; `text` was the last of it."""
        self._texts.append(text)

    def ended(self, speech_end_s: float) -> None:
        """It has ended without an interruption: our voice goes on, behind words if nothing follows soon."""
        self._goes_on_s = speech_end_s + (self._rules.second_word_s if self._texts else 0.0)

    def lasted_s(self, end_s: float) -> float:
        """Seconds from its beginning to `end_s`."""
        return max(0.0, end_s - self._begin_s)

    def nothing(self, received_s: float) -> bool:
        """Whether it is known to be no interruption, once audio up to `received_s` was heard."""
        return self._deaf(received_s) or (self._goes_on_s is not None and received_s >= self._goes_on_s)

    def _deaf(self, received_s: float) -> bool:
        """Whether no words have been recognised for so long that it is noise."""
        return not self._worded and received_s - self._since_s >= self._rules.deaf_s

    def short(self, text: str, received_s: float) -> bool:
        """Whether it is so short that its final text had better be waited for: partial texts of single words are often
        wrong, and our voice is silent meanwhile."""
        return len(text.split()) < _SURE_WORDS and received_s - self._begin_s < self._rules.unsure_s
