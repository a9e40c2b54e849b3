"""Languages that a label decoder gets beside its own: a token each, which training fills with meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from speech.errors import ConfigError
from speech.models.checkpoint import LabelCheckpoint
from speech.nn.tied_embedding import TiedEmbedding
from speech.text.languages import LANGUAGES
from speech.text.tokenizers.bpe import LabelTokenizer

_APART = 0.5
"""Length of the part of a new row that is its own, as a share of the rest."""


def add_languages(base: LabelCheckpoint, added: Mapping[str, Sequence[str]]) -> LabelCheckpoint:
    """The same model with a token for each new language, behind all others.

    Its row of the embedding is the mean of those of the languages near to it, and a direction of its own: of the mean
    alone the decoder could never find the new language likelier than both.

    Args:
        base: a Whisper of several languages.
        added: ISO 639-3 code -> codes of languages that the model knows.

    Raises:
        ConfigError: if a language is not known, or is one of the model's already.
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
    tokens = base.model.config.added_tokens()
    tokenizer = LabelTokenizer(base.tokenizer.data, english_only=base.tokenizer.english_only, added=tokens)
    return replace(base, tokenizer=tokenizer)
