"""A voice of an aligned model: an embedding of the speaker, some seconds of their speech to imitate, or both.

As a file it has the tensors `speaker (speaker_dim,)`, and `codes (codebooks, frames)` with `frames (symbols,)`; the
phonemes of its metadata are the symbols, one for each number of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from speech.errors import ConfigError, LanguageError, ModelError
from speech.models.aligned_ar import AlignedConfig
from speech.models.aligned_lm import AlignedVoice
from speech.text.speech_vocabulary import SpeechVocabulary
from speech.tts.voice_file import VoiceFile

START, END = "^", "$"
"""Symbols of the silence before and behind an utterance, if the model has them."""
SPEAKER, CODES, FRAMES = "speaker", "codes", "frames"
"""Names of the tensors of a voice file."""


class KnownVoice(NamedTuple):
    """A voice that a model can speak with."""

    language: str
    """ISO 639-3."""
    embedding: Tensor | None = None
    """`(speaker_dim,)` float32; None if the model takes none."""
    prompt: AlignedVoice | None = None
    """Speech to imitate."""


def known_voice(file: VoiceFile, config: AlignedConfig, vocabulary: SpeechVocabulary) -> KnownVoice:
    """The voice of a file.

    Args:
        file: a voice.
        config: shape of the model.
        vocabulary: of the model.

    Raises:
        ModelError: if it does not fit the model.
    """
    where, tensors = f"voice {file.name}", file.tensors
    unknown = sorted(tensors.keys() - {SPEAKER, CODES, FRAMES})
    if unknown:
        raise ModelError(f"holds {unknown[0][:80]!r}, expected {SPEAKER}, {CODES} and {FRAMES}", where=where)
    prompt = _prompt(file, config, vocabulary, where) if CODES in tensors or FRAMES in tensors else None
    found, dim = tensors.get(SPEAKER), config.speaker_dim
    if found is None and not dim and prompt is not None:
        return KnownVoice(file.language, None, prompt)
    if found is None or found.shape != (dim,) or not dim:
        shape = "none" if found is None else tuple(found.shape)
        raise ModelError(f"has a speaker of shape {shape}, the model takes {dim or 'none'}", where=where)
    return KnownVoice(file.language, found.float(), prompt)


def blended(embeddings: Mapping[str, Tensor | None], weights: Mapping[str, float]) -> Tensor:
    """The embedding `(speaker_dim,)` of a blend.

    Args:
        embeddings: of the voices of the blend, and maybe others.
        weights: of the voices, with the sum 1.

    Raises:
        ConfigError: if a voice has no embedding.
    """
    rows = []
    for name, weight in weights.items():
        embedding = embeddings[name]
        if embedding is None:
            raise ConfigError(f"the voice {name[:80]!r} does not blend: it has no embedding", fix="Name it alone.")
        rows.append(weight * embedding)
    return torch.stack(rows).sum(dim=0)


def _prompt(file: VoiceFile, config: AlignedConfig, vocabulary: SpeechVocabulary, where: str) -> AlignedVoice:
    """The speech to imitate.

    Raises:
        ModelError: if its tensors do not fit each other, the phonemes, or the model.
    """
    codes, frames = (_whole_numbers(file.tensors, name, where) for name in (CODES, FRAMES))
    if codes.dim() != 2 or len(codes) != config.codebooks:
        raise ModelError(f"has codes of shape {tuple(codes.shape)}, expected ({config.codebooks}, frames)", where=where)
    if codes.numel() and int(codes.max()) >= config.codebook_size:
        raise ModelError(f"has code {int(codes.max())}, the model {config.codebook_size} a codebook", where=where)
    if frames.shape != (len(file.phonemes),):
        text = f"has durations of shape {tuple(frames.shape)} for {len(file.phonemes)} phonemes"
        raise ModelError(text, where=where)
    count = codes.shape[1]
    if not count or int(frames.double().sum()) != count:  # which cannot overflow
        raise ModelError(f"has {count} frames of codes, its phonemes last {int(frames.sum())}", where=where)
    if count > config.voice_frames:
        seconds = (own * config.frame_s for own in (count, config.voice_frames))
        raise ModelError("is {:.1f} s long, the model imitates at most {:.1f} s".format(*seconds), where=where)
    strange = sorted(set(file.phonemes) - set(vocabulary.symbols))
    if strange:
        raise ModelError(f"has phoneme {strange[0]!r}, which the model lacks", where=where)
    try:
        language = vocabulary.language_token(file.language)
    except LanguageError as error:
        raise ModelError(f"speaks {file.language}, the model {', '.join(vocabulary.languages)}", where=where) from error
    return AlignedVoice(vocabulary.symbol_tokens(file.phonemes), frames.tolist(), codes, language)


def _whole_numbers(tensors: Mapping[str, Tensor], name: str, where: str) -> Tensor:
    """A tensor as int64.

    Raises:
        ModelError: if it is missing, or holds anything but numbers from 0 on.
    """
    found = tensors.get(name)
    if found is None:
        raise ModelError(f"has no {name}", where=where, fix=f"Give {CODES} and {FRAMES}, or none of them.")
    if found.is_floating_point() or (found.numel() and int(found.min()) < 0):
        raise ModelError(f"has {name} that are no whole numbers from 0 on", where=where)
    return found.to(torch.int64)
