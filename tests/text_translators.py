"""Text translators of the tests, which know no language: what comes of a text can be told from it."""

from collections.abc import Callable, Sequence

from speech.errors import TranslatorError
from speech.translate.text.translator import check_pair


class Tagging:
    """Writes each word with the code of the target before it."""

    def __init__(self, sources: Sequence[str] = ("deu", "eng", "spa"), targets: Sequence[str] = ("fra", "ita")) -> None:
        self.sources, self.targets = tuple(sources), tuple(targets)
        self.asked: list[tuple[tuple[str, ...], str, str]] = []

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        check_pair(self, source, target)
        self.asked.append((tuple(texts), source, target))
        return [tagged(text, target) for text in texts]


class Failing(Tagging):
    """Fails while it is told to."""

    def __init__(self, fails: Callable[[], bool] = lambda: True, **languages: Sequence[str]) -> None:
        super().__init__(**languages)
        self._fails = fails

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        found = super().translate(texts, source, target)
        if self._fails():
            raise TranslatorError("is out of order", where="the translator of the tests")
        return found


def tagged(text: str, target: str) -> str:
    """What it makes of a text."""
    return " ".join(f"{target}-{word}" for word in text.split())
