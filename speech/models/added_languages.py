"""Adds language tokens to a label decoder; training then learns their embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from speech.errors import ConfigError
from speech.models.checkpoint import LabelCheckpoint
from speech.nn.tied_embedding import TiedEmbedding
from speech.text.languages import LANGUAGES

_APART = 0.5
"""Norm of the random component of a new embedding row, relative to the mean component."""


def add_languages(base: LabelCheckpoint, added: Mapping[str, Sequence[str]]) -> LabelCheckpoint:
    """Append a token to the model's vocabulary for each new language.

    Its embedding is the mean of the embeddings of related languages plus a random direction: with the mean alone,
    the decoder could never prefer the new language to all of them.

    Args:
        base: a multilingual Whisper.
        added: ISO 639-3 code -> codes of related languages that the model knows.

    Raises:
        ConfigError: if a code is invalid or known to the model already, or a related language is unknown to it.
    """
    if not added:
        return base
    config, languages = base.model.config, base.tokenizer.languages
    for code, near in added.items():
        if code not in LANGUAGES or code in languages:
            raise ConfigError(f"added.{code}: " + ("is known already" if code in languages else "is no ISO 639-3 code"))
        if not near or not set(near) <= languages.keys():
            raise ConfigError(f"added.{code} {list(near)}", fix="Name languages that the model knows, e.g. [spa, por].")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        old = base.model.decoder.embed.weight
        rows = [old.detach()]
        for near in added.values():
            mean = old[[languages[code] for code in near]].mean(dim=0)
            own = torch.randn(len(mean), generator=generator)
            rows.append((mean + own * (_APART * mean.norm() / own.norm()))[None])
        embed = TiedEmbedding(len(old) + len(added), old.shape[1])
        embed.weight.copy_(torch.cat(rows))
    base.model.decoder.embed = embed
    decoder = replace(config.decoder, vocabulary=len(embed.weight))
    base.model.config = replace(config, decoder=decoder, added=[*config.added, *added])
    base.model.decoder.config = decoder
    return replace(base, tokenizer=base.model.config.tokenizer(base.tokenizer.data))
