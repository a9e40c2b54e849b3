"""Cut clips where somebody might break off, for the model that listens: `heard_turns.py CORPUS OUTPUT`.

The words of each clip are found by forced alignment (`PART.words.jsonl`, to which the same command adds what it lacks).
Then a clip is a finished turn, and cut behind some of its words it is several unfinished ones; each is kept as a live
session hears it (`PART.npz`). Of some clips of the smaller parts, what a recogniser writes is kept, too: on it, text
and voice are combined, and measured. `train_turn_voice.py` reads the folder.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.progress import track

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.audio.vad import Vad
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest
from speech.errors import SpeechError
from speech.files import check_writable, read_text
from speech.text.languages import LANGUAGES
from speech.train.end_of_turn.cuts import ends_openly
from speech.train.end_of_turn.voice_cuts import HeardTurn, TurnHearer, write_heard

_LEAST_WORDS = 3
_SHORT_SHARE = 4
"""Of the clips, one in so many may have fewer words: it is a finished turn only."""

Words = list[tuple[str, float, float]]


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder with the manifests.")],
    output: Annotated[Path, typer.Argument(help="Folder to write to.")],
    parts: Annotated[list[str], typer.Option(help="Names of manifests, without suffix.")] = ["dev", "train"],  # noqa: B006
    most: Annotated[int, typer.Option(help="Clips of each part.", min=1)] = 3000,
    most_s: Annotated[float, typer.Option(help="Longer clips are left out.", min=1)] = 6.0,
    cuts: Annotated[int, typer.Option(help="Cuts of a clip at most.", min=1)] = 3,
    texts: Annotated[list[str], typer.Option(help="Parts of which texts are kept.")] = ["dev", "test"],  # noqa: B006
    text_clips: Annotated[int, typer.Option(help="Clips of those, each cut once.", min=1)] = 120,
    languages: Annotated[str, typer.Option(help="Of clips with texts, with commas between; empty: all.")] = "",
    model: Annotated[str, typer.Option(help="Model that aligns: embedded, a directory or a hub id.")] = "embedded",
    seed: Annotated[int, typer.Option(help="Of all choices.")] = 1,
) -> None:
    """Cut the clips of a corpus."""
    check_writable(output.absolute().parent)
    output.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    recognizer = Recognizer.from_pretrained(model)
    for part in parts:
        with_texts = part in texts
        codes = {*filter(None, languages.split(","))} if with_texts else set[str]()
        chosen = choose(read_manifest(corpus / f"{part}.jsonl", corpus), most_s, codes, random.Random(seed))
        chosen = chosen[: text_clips if with_texts else most]
        words = aligned(recognizer, chosen, output / f"{part}.words.jsonl", part)

        def recognised(samples: np.ndarray, code: str) -> str:
            return recognizer.transcribe(samples, language=code).text.strip()

        hearer = TurnHearer(Vad(), 1 if with_texts else cuts, recognised if with_texts else None)
        turns: list[HeardTurn] = []
        for own in track(chosen, f"{part}: cuts", console=stderr(), transient=True):
            rng = random.Random(f"{seed} {own.id}")
            if own.id in words:
                name = own.id, own.language
                turns += hearer.turns(load_audio(own.audio), words[own.id], own.text, name, rng)
        write_heard(output / f"{part}.npz", turns)
        over = sum(own.finished for own in turns)
        stdout().print(f"{part}: {over} finished turns, {len(turns) - over} others", markup=False)


def choose(utterances: Sequence[Utterance], most_s: float, languages: set[str], rng: random.Random) -> list[Utterance]:
    """Clips in random order that are complete turns of languages with spaces, with a few of one or two words."""
    fit = [
        own
        for own in utterances
        if own.duration_s <= most_s
        and LANGUAGES[own.language].spaces
        and not ends_openly(own.text)
        and (not languages or own.language in languages)
    ]
    fit.sort(key=lambda own: own.id)
    rng.shuffle(fit)
    several = [own for own in fit if len(own.text.split()) >= _LEAST_WORDS]
    short = [own for own in fit if len(own.text.split()) < _LEAST_WORDS][: len(several) // _SHORT_SHARE]
    mixed = several + short
    rng.shuffle(mixed)
    return mixed


def aligned(recognizer: Recognizer, clips: Sequence[Utterance], path: Path, part: str) -> dict[str, Words]:
    """The words of clips by id: those that a file has, and others, which are added to it. Clips of few words have none;
    those that cannot be aligned are left out."""
    found = dict(_kept(path)) if path.is_file() else {}
    found |= {own.id: [] for own in clips if len(own.text.split()) < _LEAST_WORDS}
    missing = [own for own in clips if own.id not in found]
    with path.open("a", encoding="utf-8") as written:
        for own in track(missing, f"{part}: words", console=stderr(), transient=True):
            try:
                words = recognizer.align(load_audio(own.audio), own.text, language=own.language).words
            except SpeechError as error:
                stderr().print(f"{own.id} is left out: {error}", markup=False)
                continue
            found[own.id] = [(word.text, word.start_s, word.end_s) for word in words]
            written.write(json.dumps({"id": own.id, "words": found[own.id]}, ensure_ascii=False) + "\n")
            written.flush()
    return found


def _kept(path: Path) -> Iterator[tuple[str, Words]]:
    for line in read_text(path).split("\n"):
        try:
            record = json.loads(line)
        except ValueError:  # nothing, or what an interrupted run has left
            continue
        yield record["id"], [(str(word[0]), float(word[1]), float(word[2])) for word in record["words"]]


if __name__ == "__main__":
    start_command(main)
