"""The errors a user can cause or meet. Each says what is wrong, where, and what to do."""


class SpeechError(Exception):
    """Base of all errors of this package that a user should read.

    Args:
        what: the fact against the expectation, e.g. "has 0 samples, expected at least 1".
        where: file, line or field that it concerns.
        fix: what the user can do.
    """

    def __init__(self, what: str, *, where: str | None = None, fix: str | None = None) -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = where
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Errors cross process borders: a data worker's reaches the user as it was."""
        return _restore, (type(self), self.what, self.where, self.fix)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}. {self.fix}" if self.fix else text


def _restore(kind: type[SpeechError], what: str, where: str | None, fix: str | None) -> SpeechError:
    return kind(what, where=where, fix=fix)


class FileError(SpeechError):
    """A file or folder that the system refuses to read or write."""


class AudioError(SpeechError):
    """Audio that cannot be read, or that is not what it says it is."""


class DataError(SpeechError):
    """A manifest line, a shard or a corpus that breaks its schema."""


class ModelError(SpeechError):
    """A checkpoint that is missing, incomplete or does not fit."""


class ConfigError(SpeechError):
    """Options that contradict each other or are out of range."""


class TrainingError(SpeechError):
    """A run that cannot go on: its numbers are no numbers any more, or too much of its speech cannot be read."""


class LanguageError(SpeechError):
    """A language or task that is unknown, or that a model does not know."""
