"""What a loaded model says of itself, and where its adapters are put."""

from __future__ import annotations

from pathlib import Path

from speech.choices import Live
from speech.errors import ModelError
from speech.models.adapters.file import fingerprint
from speech.models.base import CtcModel
from speech.nn.adapters import AdapterBank
from speech.recognize.full_context import FullContextPass
from speech.recognize.offline import by_ctc
from speech.recognize.part_reader import PartReader
from speech.recognize.request import Request
from speech.text.tokenizers.sentencepiece import Tokenizer


class LoadedModel:
    """A model that reads parts.

    Args:
        reader: of parts.
        folder: from which it was loaded, if it was.
    """

    def __init__(self, reader: PartReader, folder: Path | None = None) -> None:
        self._second_pass, self._folder = reader, folder

    @property
    def second_pass(self) -> FullContextPass:
        """What reads parts of audio with CTC. Raises ConfigError if there is none."""
        return by_ctc(self._second_pass, "its frames")

    @property
    def model(self) -> CtcModel:
        """Of CTC. Raises ConfigError if there is none."""
        return self.second_pass.model

    @property
    def tokenizer(self) -> Tokenizer:
        """Of CTC. Raises ConfigError if there is none."""
        return self.second_pass.tokenizer

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return self._second_pass.model.frame_s

    @property
    def parameter_count(self) -> int:
        """Of the model that hears, as it was trained."""
        return self._second_pass.model.parameter_count

    @property
    def languages(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it tells from one another; adapters may know others."""
        return tuple(self._second_pass.languages)

    @property
    def known(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that may be named, by CTC or a label decoder; adapters bring more."""
        return self._second_pass.known

    @property
    def live(self) -> Live:
        """What live partial results come from."""
        return self._second_pass.live

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights on disk, by which adapters name their base; they are read when it is first asked for.

        Raises ModelError if it was not loaded from disk.
        """
        if self._folder is None:
            raise ModelError("was not loaded from disk, and has no fingerprint", fix="Use from_pretrained.")
        return fingerprint(self._folder)

    @property
    def targets(self) -> tuple[str, ...]:
        """ISO 639-3 codes of the languages that it translates into."""
        return self._second_pass.into

    @property
    def adapters(self) -> AdapterBank | None:
        """Of languages, used where they are spoken; live sessions take another bank from their next chunk on.

        An adapter may bring a language that the model does not know, and letters that it lacks. "auto" never identifies
        such a language: it has no row in the model's language head.
        """
        return self._second_pass.adapters

    @adapters.setter
    def adapters(self, bank: AdapterBank | None) -> None:
        self._second_pass.adapters = bank

    def check(self, request: Request) -> object:
        """Raises LanguageError or ConfigError if it cannot be done; while its result is held, phrases stay compiled."""
        return self._second_pass.check(request)
