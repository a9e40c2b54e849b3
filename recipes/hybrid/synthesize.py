"""Synthesize speech in languages and voices that a corpus lacks:

    uv run --group synthesis python recipes/hybrid/synthesize.py CORPUS OUTPUT

eSpeak NG reads the translations of the corpus and Django's messages, in voices, accents, rates and pitches drawn with
the seed. Writes OUTPUT/train.jsonl, FLAC audio and a card with the licences. An interrupted run resumes, and the result
is reproducible.

The speech is meant for distillation from a teacher (`label.synthetic`), not for training on its texts.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from espeak import PITCHES, RATES, VARIANTS, VOICES, Espeak, Spoken
from rich.progress import Progress
from texts import Sentence, of_corpus, of_django, speakable

from speech.audio import SAMPLE_RATE
from speech.audio.input.files import probe
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.code_switching.splicing import write_flac
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.data.mixing import hours_per_language
from speech.errors import ConfigError, DataError
from speech.files import check_writable, write_atomically
from speech.text.languages import LANGUAGES, resolve

_LEAST_TEXTS = 20
"""Minimum number of texts; languages with fewer are left out."""
_LEAST_S, _MOST_S = 0.8, 24.0
_MOST_SENTENCES = 4
"""Maximum number of sentences in an utterance."""
_MOST_SIGNS, _MOST_DENSE = 260, 90
"""Maximum number of characters in an utterance, with and without spaces in the script."""
_ROUNDS = 8
"""Maximum number of times that a text is said, each with another random voice."""
_ENDS = re.compile(r"[.!?…。！？।؟]$")
_VOICE = "eSpeak NG 1.52", "GPL-3.0-or-later"

_log = logging.getLogger(__name__)


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder with train.jsonl.")],
    output: Annotated[Path, typer.Argument(help="Folder for audio, manifest and card.")],
    languages: Annotated[str, typer.Option(help="With commas between; otherwise those that the corpus lacks.")] = "",
    hours: Annotated[float, typer.Option(help="Of speech, in equal parts of each language.")] = 1.0,
    enough: Annotated[float, typer.Option(help="Minutes of speech from which on the corpus lacks no language.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Decides texts and voices.", min=0)] = 0,
) -> None:
    """Synthesize speech in languages and voices that a corpus lacks."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    if not 0 < hours < float("inf"):
        raise ConfigError(f"--hours {hours:g}, expected more than 0")
    espeak, utterances = Espeak(), read_manifest(corpus / "train.jsonl", corpus)
    check_writable(output)
    codes = _asked(languages) or _lacking(utterances, enough)
    texts = speakable([*of_corpus(utterances), *of_django()], codes)
    scarce = [code for code, own in texts.items() if len(own) < _LEAST_TEXTS]
    if scarce:
        _log.warning("too few texts in %s", ", ".join(scarce))
    chosen = [code for code in codes if code not in scarce]
    if not chosen:
        raise DataError("there are too few texts in all languages that are asked for", where="--languages")
    made = list(_made(espeak, {code: texts[code] for code in chosen}, output, 3600 * hours / len(chosen), seed))
    if not made:
        raise DataError("eSpeak NG has said nothing of any use")
    write_manifest(made, output / "train.jsonl")
    write_atomically(output / "README.md", card(made))
    minutes = sum(utterance.duration_s for utterance in made) / 60
    stdout().print(f"{output / 'train.jsonl'}: {len(made)} utterances, {minutes:.1f} minutes, {len(chosen)} languages")


def _asked(languages: str) -> list[str]:
    codes = list(dict.fromkeys(resolve(name).code for name in languages.split(",") if name.strip()))
    for code in codes:
        if code not in VOICES:
            raise ConfigError(
                f"eSpeak NG has no voice of {code!r}", fix=f"It has those of {', '.join(sorted(VOICES))}."
            )
    return codes


def _lacking(utterances: Iterable[Utterance], enough: float) -> list[str]:
    heard = hours_per_language(list(utterances))
    return [code for code in sorted(VOICES) if 60 * heard.get(code, 0.0) < enough]


def _made(
    espeak: Espeak, texts: dict[str, list[Sentence]], output: Path, seconds: float, seed: int
) -> Iterator[Utterance]:
    """Synthesize `seconds` of speech for each language, or as much as its texts allow."""
    with Progress(console=stderr(), transient=True) as progress:
        task = progress.add_task("speaking", total=seconds * len(texts))
        for number, (code, own) in enumerate(texts.items()):
            progress.update(task, description=f"speaking {code}", completed=seconds * number)
            total_s = 0.0
            for sentences, spoken in planned(own, seed):
                utterance = said(espeak, sentences, spoken, output)
                if utterance is not None:
                    total_s += utterance.duration_s
                    progress.update(task, completed=seconds * number + min(total_s, seconds))
                    yield utterance
                if total_s >= seconds:
                    break


def planned(texts: Sequence[Sentence], seed: int) -> Iterator[tuple[list[Sentence], Spoken]]:
    """Plan the utterances of a language: one to four sentences of one source each, with voice, rate and pitch. Texts
    are shuffled in each of several rounds."""
    code = texts[0].language
    rng = np.random.default_rng([seed, *code.encode()])
    for _ in range(_ROUNDS):
        order, place = rng.permutation(len(texts)), 0
        while place < len(order):
            together = [texts[int(order[place])]]
            wanted = int(rng.integers(1, _MOST_SENTENCES + 1))
            for following in order[place + 1 : place + wanted]:
                if not _fits(together, texts[int(following)]):
                    break
                together.append(texts[int(following)])
            place += len(together)
            voice = str(rng.choice(VOICES[code])) + str(rng.choice(VARIANTS))
            rate, pitch = int(rng.integers(*RATES)), int(rng.integers(*PITCHES))
            yield together, Spoken(_joined([one.text for one in together], code), voice, rate, pitch)


def _fits(together: Sequence[Sentence], sentence: Sentence) -> bool:
    """Whether a sentence can be appended: it has the same source and licence, and the total is not too long."""
    last, most = together[-1], _MOST_SIGNS if LANGUAGES[sentence.language].spaces else _MOST_DENSE
    return (last.source, last.licence) == (sentence.source, sentence.licence) and sum(
        len(one.text) for one in (*together, sentence)
    ) <= most


def _joined(texts: Sequence[str], language: str) -> str:
    """Join texts to one, with a full stop after each but the last if it has no end mark."""
    stop, space = (".", " ") if LANGUAGES[language].spaces else ("。", "")
    return space.join([*(text if _ENDS.search(text) else text + stop for text in texts[:-1]), texts[-1]])


def said(espeak: Espeak, sentences: Sequence[Sentence], spoken: Spoken, output: Path) -> Utterance | None:
    """Synthesize an utterance, or reuse its file; None if synthesis fails or the duration is out of range."""
    first = sentences[0]
    name = f"{first.language}-{hashlib.sha256(spoken.record.encode()).hexdigest()[:16]}"
    path = (output / "audio" / first.language / f"{name}.flac").absolute()
    if path.is_file():
        duration_s = probe(path).duration_s
    else:
        try:
            samples = espeak(spoken)
        except DataError as error:
            _log.warning("%s", error)
            return None
        duration_s = len(samples) / SAMPLE_RATE
        if not _LEAST_S <= duration_s <= _MOST_S:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flac(path, samples)
    english = [sentence.english for sentence in sentences if sentence.english]
    return Utterance(
        id=name,
        audio=path,
        duration_s=round(duration_s, 3),
        language=first.language,
        text=spoken.text,
        translations={"eng": _joined(english, "eng")} if len(english) == len(sentences) else {},
        speaker=f"espeak-ng {spoken.voice}",
        source=f"{_VOICE[0]}, text: {first.source}",
        licence=f"text: {first.licence}; synthesizer: {_VOICE[1]}",
    )


def card(utterances: Sequence[Utterance]) -> str:
    """The card in Markdown: languages, sources and licences."""
    hours = hours_per_language(list(utterances))
    lines = ["# Synthetic speech", "", "Formant synthesis: for distillation from a teacher, not to measure by.", ""]
    lines += ["| language | minutes |", "|---|---|"]
    lines += [f"| {code} | {60 * value:.1f} |" for code, value in sorted(hours.items())]
    lines += ["", "| source | licence |", "|---|---|"]
    lines += [f"| {source} | {licence} |" for source, licence in sorted({(u.source, u.licence) for u in utterances})]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    start_command(main)
