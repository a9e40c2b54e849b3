"""From texts, codes and a voice to what a speech language model reads, in generation and in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from speech.errors import ConfigError
from speech.models.base import SpeechPrompt
from speech.text.speech_vocabulary import SpeechVocabulary


@dataclass(frozen=True, slots=True)
class VoicePrompt:
    """A voice to imitate: some seconds of its speech, and what is said in it."""

    text: str
    language: str
    codes: Tensor
    """`(codebooks, frames)` int64."""


class SpeechSequence(NamedTuple):
    """A text and the frames that say it."""

    tokens: Tensor
    """`(n,)`: the text, its frames and the end."""
    codes: Tensor
    """`(codebooks, n)`, zero where the token is no frame."""


def text_tokens(vocabulary: SpeechVocabulary, text: str, language: str, codebooks: int) -> SpeechSequence:
    """A text whose frames are to come. Errors as `SpeechVocabulary.encode`."""
    tokens = torch.tensor(vocabulary.encode(text, language))
    return SpeechSequence(tokens, torch.zeros(codebooks, len(tokens), dtype=torch.int64))


def spoken_text(vocabulary: SpeechVocabulary, text: str, language: str, codes: Tensor) -> SpeechSequence:
    """A text and its `codes (codebooks, frames)`. Errors as `SpeechVocabulary.encode`."""
    before = text_tokens(vocabulary, text, language, len(codes))
    layout = vocabulary.layout
    first = codes[0] if layout.frames > 1 else torch.zeros_like(codes[0])
    tokens = torch.cat([before.tokens, layout.first_frame + first, torch.tensor([layout.end])])
    end = torch.zeros(len(codes), 1, dtype=torch.int64)
    return SpeechSequence(tokens, torch.cat([before.codes, codes, end], dim=1))


def speech_prompt(
    vocabulary: SpeechVocabulary,
    text: str,
    language: str,
    codebooks: int,
    *,
    voice: VoicePrompt | None = None,
    speaker: Tensor | None = None,
) -> SpeechPrompt:
    """What a model reads to say a text.

    Args:
        vocabulary: of the model.
        text: to say.
        language: ISO 639-3.
        codebooks: of the model.
        voice: to imitate.
        speaker: embedding of a speaker.

    Raises:
        DataError, LanguageError: as `SpeechVocabulary.encode`.
        ConfigError: if the voice has another number of codebooks.
    """
    said = text_tokens(vocabulary, text, language, codebooks)
    if voice is not None:
        if len(voice.codes) != codebooks:
            raise ConfigError(f"a voice of {len(voice.codes)} codebooks; the model has {codebooks}")
        before = spoken_text(vocabulary, voice.text, voice.language, voice.codes)
        said = SpeechSequence(torch.cat([before.tokens, said.tokens]), torch.cat([before.codes, said.codes], dim=1))
    return SpeechPrompt(said.tokens, said.codes, speaker)
