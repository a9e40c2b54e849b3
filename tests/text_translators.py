"""Text translators of the tests, which know no language: what comes of a text can be told from it."""

from collections.abc import Callable, Sequence

from speech.errors import TranslatorError
from speech.translate.text.translator import check_pair
from speech.translate.toxicity import ToxicWords


class Tagging:
    """Writes each word with the code of the target before it."""

    def __init__(self, sources: Sequence[str] = ("deu", "eng", "spa"), targets: Sequence[str] = ("fra", "ita")) -> None:
        self.sources, self.targets = tuple(sources), tuple(targets)
        self.asked: list[tuple[tuple[str, ...], str, str]] = []

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        check_pair(self, source, target)
        self.asked.append((tuple(texts), source, target))
        return [tagged(text, target) for text in texts]

    def translate_without(self, text: str, source: str, target: str, words: ToxicWords) -> str | None:
        return None


class Leaving(Tagging):
    """Can leave out words; it writes how many in their place, unless that number is listed too."""

    def translate_without(self, text: str, source: str, target: str, words: ToxicWords) -> str | None:
        self.asked.append(((text,), source, target))
        kept = [word for word in tagged(text, target).split() if not words.matches(word, target)]
        found = " ".join([*kept, str(len(text.split()) - len(kept))])
        return None if words.matches(found, target) else found


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
