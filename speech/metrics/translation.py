"""Translation metrics: BLEU and chrF from sacrebleu (Post 2018), with sacrebleu signatures.

Texts are compared as written, with case and punctuation, as is usual for translation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from speech.errors import ConfigError
from speech.extras import needs_extra
from speech.metrics.bootstrap import Figure
from speech.text.languages import resolve
from speech.text.normalize import plain_text
from speech.text.units import is_mixed

BLEU, CHRF = "bleu", "chrf"
_CHINESE = frozenset({"cmn", "yue", "nan"})


def bleu_tokenizer(text: str, language: str | None) -> str:
    """sacrebleu's tokenizer for a target language.

    `zh` for Chinese languages, `char` for others without spaces (Japanese, Thai, Lao, Khmer, Burmese, Tibetan), and
    `13a` for languages with spaces. `ja-mecab` and `ko-mecab`, which sacrebleu recommends for Japanese and Korean, need
    extra packages and are never chosen.

    Args:
        text: a reference; its script decides if the language is unknown.
        language: ISO 639-3.
    """
    if language is None:
        return "char" if is_mixed(plain_text(text)) else "13a"
    if language in _CHINESE:
        return "zh"
    return "13a" if resolve(language).spaces else "char"


def translation_figures(
    references: Sequence[str], hypotheses: Sequence[str], languages: Sequence[str | None]
) -> dict[str, Figure]:
    """Corpus BLEU and chrF, 0 to 100, higher is better.

    If the targets need several tokenizers, their n-gram counts are added and the signature names each of them. Values
    per utterance are sentence BLEU with effective order, and sentence chrF.

    Args:
        languages: language of each reference, ISO 639-3.

    Raises:
        ConfigError: if sacrebleu is missing.
    """
    try:
        from sacrebleu import metrics
    except ModuleNotFoundError as error:
        raise ConfigError("BLEU and chrF need sacrebleu", fix=needs_extra("score")) from error
    if not references:
        return {}
    both = zip(references, languages, strict=True)
    tokenizers = [bleu_tokenizer(text, language) for text, language in both]
    corpus = {name: metrics.BLEU(tokenize=name) for name in sorted(set(tokenizers))}
    single = {name: metrics.BLEU(tokenize=name, effective_order=True) for name in corpus}
    chrf = metrics.CHRF()
    return {
        BLEU: _figure(references, hypotheses, [corpus[name] for name in tokenizers],
                      [single[name] for name in tokenizers], "+".join(corpus)),
        CHRF: _figure(references, hypotheses, [chrf] * len(references), [chrf] * len(references)),
    }  # fmt: skip


def _figure(
    references: Sequence[str],
    hypotheses: Sequence[str],
    corpus: Sequence[Any],
    single: Sequence[Any],
    tokenizers: str = "",
) -> Figure:
    """Build a figure from sacrebleu's statistics per utterance, which it sums to score or resample a corpus."""
    pairs = list(zip(hypotheses, references, strict=True))
    rows = [
        metric._extract_corpus_statistics([said], [[wanted]])[0]
        for metric, (said, wanted) in zip(corpus, pairs, strict=True)
    ]
    first = corpus[0]
    signature = first.get_signature()
    if tokenizers:
        signature.update("tok", tokenizers)

    def score(sums: np.ndarray) -> float:
        return float(first._compute_score_from_stats([int(value) for value in sums]).score)

    each = tuple(float(one._aggregate_and_compute([row]).score) for one, row in zip(single, rows, strict=True))
    return Figure(np.array(rows, float), score, each, f"{first._aggregate_and_compute(rows).name}|{signature}")
