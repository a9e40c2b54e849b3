"""Vocabulary layout: blank, special tokens, languages, tasks, pieces.

The published OWSM-CTC vocabulary (50,002 tokens) has this layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speech.errors import LanguageError

BLANK, UNK, NA, NOLANG = "<blank>", "<unk>", "<na>", "<nolang>"
WORD_START = "\u2581"
"""Represents the space before a word in pieces."""
_SPECIALS = (BLANK, UNK, NA, NOLANG)
_END = ("<sos>", "<eos>", "<sop>")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens by id, in this order: blank, unk, na, nolang, languages, asr, translation targets, pieces, end, added."""

    languages: tuple[str, ...]
    """ISO 639-3 codes of language tokens for the prefix."""
    st_targets: tuple[str, ...]
    """ISO 639-3 codes of translation targets."""
    pieces: tuple[str, ...]
    sos_eos: bool = False
    """Whether `<sos> <eos> <sop>` follow the pieces, as in the published vocabulary."""
    added: tuple[str, ...] = ()
    """Pieces added later, such as an adapter's letters; their ids follow all others."""
    tokens: tuple[str, ...] = field(init=False, repr=False)
    index: dict[str, int] = field(init=False, repr=False, compare=False, hash=False)
    """Token -> id; the first id of a repeated token."""

    def __post_init__(self) -> None:
        tokens = (
            *_SPECIALS,
            *(f"<{code}>" for code in self.languages),
            "<asr>",
            *(f"<st_{code}>" for code in self.st_targets),
            *self.pieces,
            *(_END if self.sos_eos else ()),
            *self.added,
        )
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "index", {token: number for number, token in reversed(list(enumerate(tokens)))})

    @classmethod
    def build(
        cls, languages: Sequence[str], st_targets: Sequence[str], pieces: Sequence[str], sos_eos: bool = False
    ) -> Vocabulary:
        return cls(tuple(languages), tuple(st_targets), tuple(pieces), sos_eos)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def blank(self) -> int:
        return 0

    @property
    def unk(self) -> int:
        return 1

    @property
    def na(self) -> int:
        return 2

    @property
    def nolang(self) -> int:
        return 3

    @property
    def piece_start(self) -> int:
        """Id of the first piece."""
        return len(_SPECIALS) + len(self.languages) + 1 + len(self.st_targets)

    @property
    def language_ids(self) -> tuple[int, ...]:
        return tuple(range(len(_SPECIALS), len(_SPECIALS) + len(self.languages)))

    def language_id(self, code: str) -> int:
        """Id of `<code>`. Raises LanguageError if this vocabulary lacks it."""
        if code not in self.languages:
            raise LanguageError(f"the model does not know the language {code!r}", fix=f"It knows: {self._list()}.")
        return len(_SPECIALS) + self.languages.index(code)

    def task_id(self, task: str, to: str | None = None) -> int:
        """Id of `<asr>`, or of `<st_to>`. Raises LanguageError if this vocabulary lacks it."""
        if task == "asr":
            return len(_SPECIALS) + len(self.languages)
        if task != "st" or to not in self.st_targets:
            known = ", ".join(self.st_targets) or "none"
            raise LanguageError(f"the model has no task {task!r} to {to!r}", fix=f"Translation targets: {known}.")
        return len(_SPECIALS) + len(self.languages) + 1 + self.st_targets.index(to)

    def is_special(self, token: int) -> bool:
        """Whether a token is neither a piece nor an added piece."""
        piece = self.piece_start <= token < self.piece_start + len(self.pieces)
        return not (piece or len(self) - len(self.added) <= token < len(self))

    def _list(self) -> str:
        return ", ".join(self.languages)
