"""Repetition loops, and texts too long for their audio, over all test clips; the language is not given.

    uv run --extra train --group peers benchmarks/loops.py ROOT --model DIR --output benchmarks/results/loops.json
        [--peer-model WHISPER_BASE] [--texts texts.jsonl]

A text has a loop if a 4-gram of words (characters in scripts without spaces) occurs more than three times in a row;
"any" counts n-grams of one to eight words. Tokens are those of the model's label decoder, or of its CTC if it has none.
References are counted too: people do say "no, no, no, no", and a digit takes a quarter of a second. --texts uses the
texts of `accuracy.py --texts` instead of transcribing again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from accuracy import read_rows
from clips import every_nth, save, written
from peer import Peer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from timing import machine

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.models.hub import EMBEDDED
from speech.recognizer import Recognizer

GRAM, RUNNING = 4, 3
SIZES = range(1, 9)
TOKENS_A_SECOND = 6
MORE = 8
"""Extra tokens that the cap of a label decoder allows."""


def main(
    root: Path,
    model: str = EMBEDDED,
    peer_model: Annotated[Path | None, typer.Option(help="Whisper-base, as CTranslate2 has it.")] = None,
    texts: Annotated[Path | None, typer.Option(help="JSON lines of benchmarks/accuracy.py --texts.")] = None,
    every: Annotated[int, typer.Option(help="Hear only each N-th utterance of a language.")] = 1,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print the table and the texts that are counted."""
    torch.set_num_threads(1)
    clips = every_nth(read_manifest(root / "test.jsonl", root), every)
    recognizer = Recognizer.from_pretrained(model)
    said = {"references": {clip.id: clip.text for clip in clips}}
    if texts is not None:
        clips, more = read_texts(texts, clips)
        said |= more
    else:
        said["ours"] = heard(clips, "ours", lambda clip: recognizer.transcribe(clip.audio).text)
        if peer_model is not None:
            peer = Peer(peer_model)
            said["peer"] = heard(clips, "peer", lambda clip: peer.transcribe(load_audio(clip.audio)).text)
    count = counter(recognizer)
    console = Console(highlight=False, width=120)
    table = Table("texts", "clips", "4-gram over 3 times", "any over 3 times", "over 6 tokens/s", "over 6/s + 8")
    record: dict[str, Any] = {"machine": machine(), "clips": len(clips), "systems": {}}
    for name, of in said.items():
        found = counted(clips, of, count)
        record["systems"][name] = found
        table.add_row(name, str(sum(clip.id in of for clip in clips)), *(str(len(ids)) for ids in found.values()))
    console.print(table)
    for name in [name for name in said if name != "references"]:
        for key in ("loops", "above the cap"):
            for clip_id in record["systems"][name][key][:10]:
                console.print(f"{name}, {key}: {clip_id}: {said[name][clip_id][:200]}")
    save(output, record)


def heard(clips: Sequence[Utterance], name: str, transcribe: Callable[[Utterance], str]) -> dict[str, str]:
    """Transcribe each clip: id -> text."""
    return {clip.id: transcribe(clip) for clip in track(clips, description=name, transient=True)}


def read_texts(path: Path, clips: Sequence[Utterance]) -> tuple[list[Utterance], dict[str, dict[str, str]]]:
    """Clips and texts by system from a file of `accuracy.py --texts`."""
    rows = read_rows(path, clips)
    names = dict.fromkeys(name for row in rows for name in row.said)
    found = {name: {row.clip.id: row.said[name].text for row in rows if name in row.said} for name in names}
    return [row.clip for row in rows], found


def counter(recognizer: Recognizer) -> Callable[[str], int]:
    """A function that counts the tokens of a text."""
    label = recognizer.engine().second_pass.label
    tokenizer = recognizer.tokenizer if label is None else label.tokenizer
    return lambda text: len(tokenizer.encode(text))


def counted(clips: Sequence[Utterance], said: dict[str, str], tokens: Callable[[str], int]) -> dict[str, list[str]]:
    """Ids of the clips with a loop or too long a text, by criterion."""
    found: dict[str, list[str]] = {"loops": [], "any": [], "too long": [], "above the cap": []}
    for clip in [clip for clip in clips if clip.id in said]:
        words, count = written(said[clip.id]), tokens(said[clip.id])
        most = TOKENS_A_SECOND * clip.duration_s
        reasons = {
            "loops": running(words, GRAM) > RUNNING,
            "any": any(running(words, size) > RUNNING for size in SIZES),
            "too long": count > most,
            "above the cap": count > most + MORE,
        }
        for reason in [name for name, holds in reasons.items() if holds]:
            found[reason].append(clip.id)
    return found


def running(words: Sequence[str], size: int) -> int:
    """Maximum number of consecutive occurrences of an n-gram of `size` words: 1 without repetition, 0 in a shorter
    text."""
    if len(words) < size:
        return 0
    most = equal = 0
    for place in range(size, len(words)):
        equal = equal + 1 if words[place] == words[place - size] else 0
        most = max(most, equal)
    return 1 + most // size


if __name__ == "__main__":
    typer.run(main)
