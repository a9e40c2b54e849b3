"""Errors for users. Each says what is wrong, where, and what to do."""


class SpeechError(Exception):
    """Base class of all errors of this package that are written for users.

    Args:
        what: what was found and what was expected, e.g. "has 0 samples, expected at least 1".
        where: file, line or field with the error.
        fix: what the user can do.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = where
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Make errors picklable, so that an error in a data worker process reaches the user unchanged."""
        return _restore, (type(self), self.what, self.where, self.fix)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.fix}" if self.fix else text


def _restore(kind: type[SpeechError], what: str, where: str | None, fix: str | None) -> SpeechError:
    return kind(what, where=where, fix=fix)


class FileError(SpeechError):
    """A file or folder that the operating system refuses to read or write."""


class AudioError(SpeechError):
    """Audio that is unreadable, or differs from its declared format."""


class DataError(SpeechError):
    """A manifest line, a shard or a corpus that violates its schema."""


class ModelError(SpeechError):
    """A checkpoint that is missing, incomplete or does not fit."""


class ConfigError(SpeechError):
    """Options that contradict each other or are out of range."""


class TrainingError(SpeechError):
    """A training run that cannot continue: numbers are not finite, or too much of the speech is unreadable."""


class LanguageError(SpeechError):
    """A language or task that is unknown, or that a model does not know."""


class TranslatorError(SpeechError):
    """A text translator that cannot be asked, or text that it does not translate."""


class AnswerError(SpeechError):
    """What answers in a dialogue cannot be asked, or does not answer as it should."""


class TextError(SpeechError):
    """A text or its markup that cannot be spoken as it is written."""
