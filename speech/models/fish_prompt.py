"""What Fish-Speech reads before it speaks: voices to imitate, what it has said, and the next text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from speech.errors import ConfigError
from speech.models.base import SpeechPrompt
from speech.models.speech_prompt import SpeechSequence
from speech.text.tokenizers.fish import FishTokenizer

CONTEXT = 1024
"""Tokens and frames of earlier turns that are read again."""


@dataclass(frozen=True, slots=True)
class FishTurn:
    """A text and what says it: of a voice to imitate, or of an earlier turn."""

    text: str
    """Cleaned."""
    codes: Tensor
    """`(codebooks, frames)` int64, of the codec."""


def fish_prompt(
    tokenizer: FishTokenizer,
    codebooks: int,
    text: str,
    *,
    voices: Sequence[FishTurn] = (),
    earlier: Sequence[FishTurn] = (),
) -> SpeechPrompt:
    """What the model reads to say a text.

    Args:
        tokenizer: of the model.
        codebooks: of the model.
        text: cleaned, see `speech.text.fish_text.turns`.
        voices: to imitate; several of one speaker are taken together.
        earlier: what has been said before. Of these the first is read, and the last ones that fit into `CONTEXT`.

    Raises:
        ConfigError: if codes have another number of codebooks.
        TextError: if a text has a mark of the model in it.
    """
    parts = [_tokens(tokenizer.instruction(), codebooks)] if voices else []
    parts += [_said(tokenizer, codebooks, turn) for turn in voices]
    parts += _recent([_said(tokenizer, codebooks, turn) for turn in earlier])
    parts.append(_tokens(tokenizer.asked(text), codebooks))
    return SpeechPrompt(torch.cat([part.tokens for part in parts]), torch.cat([part.codes for part in parts], dim=1))


def _recent(turns: list[SpeechSequence]) -> list[SpeechSequence]:
    """The first turn and as many of the last ones as fit."""
    kept, room = list[SpeechSequence](), CONTEXT - sum(len(turn.tokens) for turn in turns[:1])
    for turn in reversed(turns[1:]):
        room -= len(turn.tokens)
        if room < 0:
            break
        kept.insert(0, turn)
    return turns[:1] + kept


def _tokens(ids: list[int], codebooks: int) -> SpeechSequence:
    """Tokens without codes."""
    return SpeechSequence(torch.tensor(ids, dtype=torch.int64), torch.zeros(codebooks, len(ids), dtype=torch.int64))


def _said(tokenizer: FishTokenizer, codebooks: int, turn: FishTurn) -> SpeechSequence:
    """A text, its frames and the end."""
    if len(turn.codes) != codebooks:
        what = f"a voice of {len(turn.codes)} codebooks; the model has {codebooks}"
        raise ConfigError(what, fix="Encode it with the codec of this model.")
    asked, layout = _tokens(tokenizer.asked(turn.text), codebooks), tokenizer.layout
    codes = turn.codes.long().cpu() + tokenizer.code_offset
    first = codes[0] if layout.frames > 1 else torch.zeros_like(codes[0])
    tokens = torch.cat([asked.tokens, layout.first_frame + first, torch.tensor([layout.end])])
    return SpeechSequence(tokens, torch.nn.functional.pad(torch.cat([asked.codes, codes], dim=1), (0, 1)))
