"""Contextual biasing: error rates of rare words with and without a phrase list that contains them and distractors.

    uv run --extra train benchmarks/biasing.py ROOT --every 4

ROOT holds `train.jsonl`, `test.jsonl` and the audio. Rare words have at least five letters and occur at most once in
the training transcripts (Le et al. 2021, "Contextualized streaming end-to-end speech recognition with trie-based deep
biasing", section 4.1: B-WER and U-WER). The list of each clip holds its own rare words and other words of its language.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rapidfuzz.distance import Levenshtein
from rich.console import Console
from rich.progress import track
from rich.table import Table

from speech.audio.input.files import load_audio
from speech.data.manifest import Utterance, read_manifest
from speech.decode.bias.phrases import Phrase
from speech.decode.ctc.frames import CtcFrames
from speech.models.hub import EMBEDDED
from speech.recognize.full_context import FullContextPass
from speech.recognize.request import Request
from speech.recognizer import Recognizer
from speech.text.languages import resolve
from speech.text.normalize import plain_text

SHORTEST, MOST_SEEN = 5, 1


def main(
    root: Path,
    model: str = EMBEDDED,
    every: Annotated[int, typer.Option(help="Take every n-th clip.")] = 4,
    longest_s: Annotated[float, typer.Option(help="Leave out longer ones.")] = 30.0,
    boosts: str = "0,0.5,1,1.5,2,3",
    others: Annotated[str, typer.Option(help="Words in the list that the clip does not hold.")] = "0,100,1000",
    final: Annotated[
        bool, typer.Option("--final", help="Of what is written in the end, with a label decoder.")
    ] = False,
    beam: Annotated[int | None, typer.Option(help="1: without a language model. [default: the model's]")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
) -> None:
    """Print error rates of the rare words and of all others."""
    train = read_manifest(root / "train.jsonl", root, check_files=False)
    seen = Counter(word for utterance in train for word in plain_text(utterance.text).split())
    test = [u for u in read_manifest(root / "test.jsonl", root) if u.language and resolve(u.language).spaces]
    pool: dict[str, set[str]] = defaultdict(set)
    for utterance in [*train, *test]:
        if utterance.language:
            pool[utterance.language] |= rare(utterance, seen)
    clips = [u for u in test if rare(u, seen) and u.duration_s <= longest_s][::every]
    recognizer = Recognizer.from_pretrained(model, beam=beam)
    second_pass = recognizer._second_pass
    read = partial(written, recognizer) if final else partial(searched, second_pass)
    hear = listen_later if final else partial(listen, second_pass)
    heard = [(clip, *hear(clip)) for clip in track(clips, description="hearing", transient=True)]
    table, record = Table("boost", "others", "rare words", "other words", "all", box=None), []
    plain = [float(boost) for boost in boosts.split(",")]
    for boost, count in [(b, int(n)) for b in plain for n in others.split(",") if b or n == others.split(",")[0]]:
        rows = [compare(second_pass, read, pool, seen, boost, count, *item) for item in track(heard, transient=True)]
        rates = [sum(row[k] for row in rows) / max(sum(row[k + 1] for row in rows), 1) for k in (0, 2, 4)]
        table.add_row(str(boost), str(count) if boost else "-", *(f"{rate:.3f}" for rate in rates))
        record.append({"boost": boost, "others": count, "rare": rates[0], "other": rates[1], "wer": rates[2]})
    words = sum(len(rare(clip, seen)) for clip in clips)
    console = Console(highlight=False)
    console.print(f"{len(clips)} clips, {words} rare words")
    console.print(table)
    if output is not None:
        output.write_text(json.dumps({"clips": len(clips), "rare": words, "rows": record}, indent=1) + "\n", "utf-8")


def rare(utterance: Utterance, seen: Counter[str]) -> set[str]:
    """Words of at least five letters that occur at most once in training."""
    words = set(plain_text(utterance.text).split())
    return {word for word in words if len(word) >= SHORTEST and seen[word] <= MOST_SEEN}


@torch.inference_mode()
def listen(second_pass: FullContextPass, clip: Utterance) -> tuple[CtcFrames, Request]:
    """Log-probabilities of a clip, and its request."""
    request = Request((clip.language,))
    x, _ = second_pass.encode([load_audio(clip.audio)], [request]).select(0)
    return CtcFrames(second_pass.decoder.log_probs(x)[None], torch.tensor([len(x)]), second_pass.model.frame_s), request


def listen_later(clip: Utterance) -> tuple[np.ndarray, Request]:
    """Samples of a clip, and its request."""
    return load_audio(clip.audio), Request((clip.language,))


def searched(second_pass: FullContextPass, frames: CtcFrames, request: Request) -> str:
    """Text of the CTC search."""
    tokens = second_pass.decoder.tokens
    decode, forbidden = tokens.decoder(request.phrases), tokens.forbidden(request.written)
    spans = decode(frames, forbidden=forbidden, languages=request.languages)[0]
    return second_pass.tokenizer.decode(span.id for span in spans)


def written(recognizer: Recognizer, samples: np.ndarray, request: Request) -> str:
    """Final text, after the label decoder if there is one."""
    return recognizer.transcribe(samples, language=request.languages[0], phrases=request.phrases, plain=True).text


def compare(
    second_pass: FullContextPass, read: Callable[[Any, Request], str], pool: dict[str, set[str]], seen: Counter[str],
    boost: float, others: int, clip: Utterance, audio: Any, request: Request,
) -> tuple[int, ...]:  # fmt: skip
    """Errors and word counts: of rare words, of other words (with insertions), and of all words."""
    own = rare(clip, seen)
    strangers = sorted(pool[clip.language] - own)
    random.Random(clip.id).shuffle(strangers)
    words: list[Any] = [word for word in [*sorted(own), *strangers[:others]] if writable(second_pass, word)]
    phrases = tuple(Phrase(word, boost) for word in words) if boost else ()
    reference = plain_text(clip.text).split()
    hypothesis = read(audio, Request(request.languages, phrases=phrases)).split()
    wrong = [reference[op.src_pos] for op in Levenshtein.editops(reference, hypothesis) if op.tag != "insert"]
    errors = len(Levenshtein.editops(reference, hypothesis))
    missed, count = sum(word in own for word in wrong), sum(word in own for word in reference)
    return missed, count, errors - missed, len(reference) - count, errors, len(reference)


def writable(second_pass: FullContextPass, word: str) -> bool:
    """Whether the model can write a word without unknown tokens."""
    return second_pass.tokenizer.vocabulary.unk not in second_pass.tokenizer.encode(word)


if __name__ == "__main__":
    typer.run(main)
