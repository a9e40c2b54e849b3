"""Add word times to a corpus: `python recipes/hybrid/prepare.py CORPUS OUTPUT.jsonl`.

The result is the training manifest with `words`, spelled as in the transcripts. Label decoder training cuts some clips
after a word, to learn not to end there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from speech import Recognizer
from speech.cli.console import stderr, stdout
from speech.cli.recipe import start_command
from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.errors import SpeechError
from speech.files import check_writable
from speech.text.languages import LANGUAGES
from speech.text.normalize import plain_text
from speech.transcript import Word

_LEAST_WORDS = 3
_LEAST_CONFIDENCE = 0.3
"""Minimum mean word confidence; below, the transcript is wrong or the model cannot follow the audio."""


def main(
    corpus: Annotated[Path, typer.Argument(help="Folder with the manifests.")],
    output: Annotated[Path, typer.Argument(help="The manifest to write.")],
    train: Annotated[str, typer.Option(help="Name of the manifest to read.")] = "train.jsonl",
    model: Annotated[str, typer.Option(help="Model that aligns: embedded, a directory or a hub id.")] = "embedded",
    least_s: Annotated[float, typer.Option(help="Shorter clips are left as they are.", min=0)] = 1.5,
) -> None:
    """Add word times to the training manifest of a corpus."""
    check_writable(output.absolute().parent)
    utterances = read_manifest(corpus / train, corpus, check_files=True)
    recognizer = Recognizer.from_pretrained(model)
    found = list(_aligned(recognizer, utterances, least_s))
    write_manifest(found, output, corpus)
    timed = sum(bool(utterance.words) for utterance in found)
    stdout().print(f"{output}: {len(found)} utterances, {timed} with word times")


def _aligned(recognizer: Recognizer, utterances: Sequence[Utterance], least_s: float) -> Iterator[Utterance]:
    for utterance in track(utterances, "aligning", console=stderr(), transient=True):
        spaces = LANGUAGES[utterance.language].spaces
        if utterance.words or not spaces or utterance.duration_s < least_s:
            yield utterance
            continue
        yield replace(utterance, words=_words(recognizer, utterance))


def _words(recognizer: Recognizer, utterance: Utterance) -> tuple[Word, ...]:
    """Words with times, spelled as in the transcript; () if they cannot be aligned."""
    written = utterance.text.split()
    if len(written) < _LEAST_WORDS or any(len(plain_text(word).split()) != 1 for word in written):
        return ()
    try:
        said = recognizer.align(utterance.audio, utterance.text, language=utterance.language).words
    except SpeechError:  # the model cannot write some letters, or the audio is too short
        return ()
    if len(said) != len(written) or sum(word.confidence for word in said) / len(said) < _LEAST_CONFIDENCE:
        return ()
    return tuple(
        replace(word, text=text, language=utterance.language) for word, text in zip(said, written, strict=True)
    )


if __name__ == "__main__":
    start_command(main)
