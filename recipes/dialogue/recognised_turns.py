"""Write what a recogniser makes of whole and of cut clips: `python recipes/dialogue/recognised_turns.py CORPUS OUTPUT`.

Each clip is recognised as it is, and, if it has three words, once more cut behind one of its words, as somebody breaks
off there: more often behind words that are frequent in its language, such as articles and prepositions. OUTPUT gets a
file of JSON lines for each part of the corpus, `train.jsonl` and so on, which `train_end_of_turn.py` and
`benchmarks/end_of_turn.py` read. The same command goes on where an interrupted one stopped.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import track

from speech import Recognizer
from speech.audio import SAMPLE_RATE
from speech.audio.input.files import load_audio
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest
from speech.files import check_writable
from speech.text.languages import LANGUAGES
from speech.train.end_of_turn.cuts import cut_place, ends_openly, frequent_words
from speech.train.end_of_turn.turns import WrittenTurn, read_turns, write_turns

_FADE_S = 0.03
_PAUSE_S = 0.3
"""Of silence behind a cut."""
_LEAST_WORDS = 3
_CUT = "-cut"
"""Behind the id of a clip that was cut."""
_KEPT_EVERY = 50
_SHORT_SHARE = 6
"""One of so many shorter clips is taken."""


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder with the manifests.")],
    output: Annotated[Path, typer.Argument(help="Folder to write to.")],
    parts: Annotated[list[str], typer.Option(help="Names of manifests, without suffix.")] = ["train", "dev", "test"],  # noqa: B006
    most: Annotated[int, typer.Option(help="Clips of each part, evenly from its languages.", min=1)] = 1500,
    most_s: Annotated[float, typer.Option(help="Longer clips are left out.", min=1)] = 10.0,
    model: Annotated[str, typer.Option(help="Model that recognises: embedded, a directory or a hub id.")] = "embedded",
    seed: Annotated[int, typer.Option(help="Of the choice of clips and of the places of cuts.")] = 1,
) -> None:
    """Recognise whole and cut clips of a corpus."""
    check_writable(output.absolute().parent)
    recognizer = Recognizer.from_pretrained(model)
    output.mkdir(exist_ok=True)
    for part in parts:
        every = read_manifest(corpus / f"{part}.jsonl", corpus, check_files=True)
        frequent = frequent_words((own.language, own.text) for own in every)
        chosen = evenly([own for own in every if own.duration_s <= most_s], most, random.Random(seed))
        path = output / f"{part}.jsonl"
        turns = read_turns(path) if path.is_file() else []
        done = {own.id.removesuffix(_CUT) for own in turns}
        shown = track([own for own in chosen if own.id not in done], part, console=stderr(), transient=True)
        for number, own in enumerate(shown, start=1):
            turns += recognised(recognizer, own, frequent, random.Random(f"{seed} {own.id}"))
            if number % _KEPT_EVERY == 0:
                write_turns(path, turns)
        write_turns(path, turns)
        cut = sum(not own.finished for own in turns)
        stdout().print(f"{path}: {len(turns) - cut} whole turns, {cut} cut ones", markup=False)


def evenly(utterances: Sequence[Utterance], most: int, rng: random.Random) -> list[Utterance]:
    """At most so many utterances in random order, one language after the other: few of those of one or two words, and
    none of languages without spaces, whose clips are single words."""
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for own in rng.sample(utterances, len(utterances)):
        several = len(own.text.split()) >= _LEAST_WORDS
        if LANGUAGES[own.language].spaces and (several or rng.randrange(_SHORT_SHARE) == 0):
            groups[own.language].append(own)
    turns = chain.from_iterable(zip_longest(*(groups[code] for code in sorted(groups))))
    return [own for own in turns if own is not None][:most]


def recognised(
    recognizer: Recognizer, utterance: Utterance, frequent: dict[str, frozenset[str]], rng: random.Random
) -> Iterator[WrittenTurn]:
    """What is recognised of the whole clip, unless its text breaks off itself, and of a part of it."""
    samples = load_audio(utterance.audio)
    code = utterance.language
    whole = recognizer.transcribe(samples, language=code)
    if not ends_openly(utterance.text) and whole.text.strip():
        yield WrittenTurn(utterance.id, code, whole.text.strip(), True, utterance.source)
    if len(whole.words) < _LEAST_WORDS:
        return
    count = cut_place([word.text for word in whole.words], frequent.get(code, frozenset()), rng)
    text = recognizer.transcribe(broken_off(samples, whole.words[count - 1].end_s), language=code).text.strip()
    if text and len(text.split()) <= count:  # otherwise the next word can be heard: nobody pauses there
        yield WrittenTurn(utterance.id + _CUT, code, text, False, utterance.source)


def broken_off(samples: np.ndarray, end_s: float) -> np.ndarray:
    """Samples `(n,)` until `end_s`, faded out, and a pause."""
    kept = samples[: round(end_s * SAMPLE_RATE)].copy()
    fade = min(round(_FADE_S * SAMPLE_RATE), len(kept))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=kept.dtype)
    return np.concatenate([kept, np.zeros(round(_PAUSE_S * SAMPLE_RATE), samples.dtype)])


if __name__ == "__main__":
    start_command(main)
