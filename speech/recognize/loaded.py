"""A loaded model: its properties and its adapters."""

from __future__ import annotations

from pathlib import Path

from speech.choices import Live
from speech.errors import ModelError
from speech.models.adapters.file import fingerprint
from speech.models.base import CtcModel
from speech.nn.adapters import AdapterBank
from speech.recognize.full_context import FullContextPass
from speech.recognize.offline import OfflineConfig, OfflineReader, by_ctc
from speech.recognize.part_reader import has_trained_policy
from speech.recognize.request import Request
from speech.recognize.text_translation import TextTargets
from speech.text.tokenizers.sentencepiece import Tokenizer


class LoadedModel:
    """A model that reads parts.

    Args:
        targets: the reader of parts, and what translates the recognised text into further languages.
        config: how audio is segmented and batched.
        folder: the checkpoint; None if the model was not loaded from disk.
    """

    def __init__(self, targets: TextTargets, config: OfflineConfig | None = None, folder: Path | None = None) -> None:
        self._second_pass, self._folder, self._targets = targets.reader, folder, targets
        self._reader = OfflineReader(targets.reader, config)

    @property
    def second_pass(self) -> FullContextPass:
        """The full-context CTC pass. Raises ConfigError if the model has no CTC."""
        return by_ctc(self._second_pass, "its frames")

    @property
    def model(self) -> CtcModel:
        """The CTC model. Raises ConfigError if there is none."""
        return self.second_pass.model

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of CTC. Raises ConfigError if there is none."""
        return self.second_pass.tokenizer

    @property
    def frame_s(self) -> float:
        """Seconds between frames."""
        return self._second_pass.model.frame_s

    @property
    def parameter_count(self) -> int:
        """Parameters of the encoder model, as it was trained."""
        return self._second_pass.model.parameter_count

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that the model identifies; adapters may add others."""
        return tuple(self._second_pass.languages)

    @property
    def known(self) -> tuple[str, ...]:
        """ISO 639-3 codes that may be requested, known to CTC or the label decoder; adapters may add others."""
        return self._second_pass.known

    @property
    def live(self) -> Live:
        """How live partial results are computed."""
        return self._second_pass.live

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights on disk, by which an adapter names its base model; computed at first use.

        Raises ModelError if the model was not loaded from disk.
        """
        if self._folder is None:
            raise ModelError("was not loaded from disk, and has no fingerprint", fix="Use from_pretrained.")
        return fingerprint(self._folder)

    @property
    def targets(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that the model, or the text translator behind it, translates into."""
        return self._targets.into

    @property
    def drafts_into(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that live sessions can write before a part is complete."""
        return self._targets.drafts_into

    @property
    def trained_policy(self) -> bool:
        """Whether live sessions can write by a policy that was trained for the model (EMMA)."""
        return has_trained_policy(self._second_pass)

    @property
    def adapters(self) -> AdapterBank | None:
        """Language adapters, applied to speech in their language; live sessions use a new bank from the next chunk on.

        An adapter may add a language that the model does not know, and letters that it lacks. "auto" never identifies
        such a language: it has no row in the model's language head.
        """
        return self._second_pass.adapters

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        self._second_pass.adapters = bank

    def check(self, request: Request) -> object:
        """Check a request; raises LanguageError or ConfigError. Phrases stay compiled while the result is kept."""
        return self._targets.check(request)
