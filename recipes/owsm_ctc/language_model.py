"""Give a model an n-gram model of its tokens: `uv run --group words recipes/owsm_ctc/language_model.py MODEL_DIR ROOT`.

Learns from the training transcripts and translations of the manifests in ROOT and from the most frequent words of each
language (package wordfreq, data CC-BY-SA 4.0), then chooses its weight and the bonus per token on the dev part.
Writes MODEL_DIR/lm.safetensors, which `speech transcribe` then uses.
"""

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track

from speech.data.batches import EvalBatches
from speech.data.manifest import Utterance, read_manifest
from speech.decode.beam import BeamDecoder
from speech.decode.frames import Frames
from speech.decode.token_ngram import EDGE, TokenNgram
from speech.metrics.error_rate import ErrorCounts, word_errors
from speech.models.checkpoint import LANGUAGE_MODEL, load_checkpoint
from speech.models.owsm_ctc import OwsmCtc
from speech.text.languages import resolve
from speech.text.normalize import plain_text
from speech.text.tokenizer import Tokenizer

TRANSCRIPT, TRANSLATION = 1.0, 0.5
GRID = (
    (0.0, 0.0),
    (0.2, 0.3),
    (0.3, 0.6),
    (0.4, 0.6),
    (0.4, 0.8),
    (0.45, 0.9),
    (0.5, 0.8),
    (0.5, 1.0),
    (0.6, 1.2),
    (0.75, 1.6),
)
HEADING = "\n## Language model\n\n"


def main(
    model: Path,
    root: Path,
    order: int = 8,
    prune: Annotated[float, typer.Option(help="Least weight of n-grams of three tokens and more.")] = 0.7,
    words: Annotated[int, typer.Option(help="Most frequent words of each language; 0: none.")] = 30_000,
    word_mass: Annotated[float, typer.Option(help="Words that a language's list weighs in all.")] = 20_000.0,
    dev_clips: Annotated[int, typer.Option(help="Dev utterances to choose weights on.")] = 300,
) -> None:
    """Train, choose, write, and print what the choice was made from."""
    console = Console(highlight=False)
    loaded = load_checkpoint(model)
    tokenizer = loaded.tokenizer
    utterances = read_manifest(root / "train.jsonl", root, check_files=False)
    texts = [*written(utterances, tokenizer)]
    if words:
        for language in tokenizer.vocabulary.languages:
            texts += frequent(language, tokenizer, words, word_mass)
    ngram = TokenNgram.train(texts, order=order, prune=prune)
    console.print(f"{len(ngram.keys)} n-grams of {len(texts)} texts")
    dev = read_manifest(root / "dev.jsonl", root)
    random.Random(0).shuffle(dev)
    outputs = heard(loaded.model, tokenizer, dev[:dev_clips])
    rates: dict[tuple[float, float], float] = {}
    for weight, bonus in GRID:
        rate = error_rate(outputs, tokenizer, BeamDecoder(scorer=ngram, weight=weight, bonus=bonus))
        console.print(f"weight {weight:.2f}, bonus {bonus:.2f}: WER {rate:.4f}")
        rates[weight, bonus] = rate
    ngram.weight, ngram.bonus = min(rates, key=lambda pair: rates[pair])
    best = rates[ngram.weight, ngram.bonus]
    ngram.save(model / LANGUAGE_MODEL)
    card = (model / "README.md").read_text("utf-8").split(HEADING)[0]
    source = f", and the {words} most frequent words of each language that wordfreq (data CC-BY-SA 4.0) knows"
    (model / "README.md").write_text(
        f"{card}{HEADING}`{LANGUAGE_MODEL}`: {len(ngram.keys)} n-grams up to {order} tokens, Witten-Bell smoothing, of "
        f"the training transcripts and translations{source if words else ''}. Weight {ngram.weight}, bonus "
        f"{ngram.bonus} per token: the best of those tried on {len(outputs)} dev utterances, WER {rates[0.0, 0.0]:.3f} "
        f"without it and {best:.3f} with it.\n",
        "utf-8",
    )


def written(utterances: list[Utterance], tokenizer: Tokenizer) -> Iterator[tuple[list[int], float]]:
    """Each distinct transcript and translation, between edges."""
    known = set(tokenizer.vocabulary.languages)
    seen: set[str] = set()
    for utterance in utterances:
        found = [(plain_text(utterance.text), TRANSCRIPT)]
        found += [(plain_text(t), TRANSLATION) for code, t in utterance.translations.items() if code in known]
        for text, weight in found:
            ids = tokenizer.encode(text)
            if text not in seen and tokenizer.vocabulary.unk not in ids:
                seen.add(text)
                yield [EDGE, *ids, EDGE], weight


def frequent(language: str, tokenizer: Tokenizer, count: int, mass: float) -> Iterator[tuple[list[int], float]]:
    """The most frequent words of a language, each between the starts of words, weighing `mass` together at most."""
    import wordfreq

    code = resolve(language).alpha2
    if code not in wordfreq.available_languages("small") or not resolve(language).spaces:
        return
    ranked = Counter(wordfreq.get_frequency_dict(code, "small")).most_common(count)
    for word, frequency in ranked:
        plain = plain_text(word)
        if not plain or " " in plain or any(c.isdigit() for c in plain) or frequency * mass < 0.2:
            continue
        ids = tokenizer.encode(f"{plain} {plain}")
        half = tokenizer.encode(plain)
        if tokenizer.vocabulary.unk not in ids and ids[: len(half)] == half:
            yield ids[: len(half) + 1], frequency * mass


@torch.inference_mode()
def heard(model: OwsmCtc, tokenizer: Tokenizer, utterances: list[Utterance]) -> list[tuple[Utterance, Frames]]:
    """What the encoder makes of each."""
    by_id = {utterance.id: utterance for utterance in utterances}
    batches = EvalBatches(utterances, tokenizer, 120.0, plain_text)
    found = []
    for batch in track(batches, description="hearing", transient=True, total=len(batches)):
        output = model(*model.features(batch.samples, batch.sample_lengths), batch.prefix)
        for row, name in enumerate(batch.ids):
            own = output.log_probs[row : row + 1, : int(output.lengths[row])].clone()
            found.append((by_id[name], Frames(own, output.lengths[row : row + 1], model.frame_s)))
    return found


def error_rate(outputs: list[tuple[Utterance, Frames]], tokenizer: Tokenizer, decode: BeamDecoder) -> float:
    """Word error rate over all."""
    total = ErrorCounts()
    for utterance, frames in outputs:
        text = tokenizer.decode([span.id for span in decode(frames)[0]])
        total += word_errors(utterance.text, text, utterance.language)
    return total.rate


if __name__ == "__main__":
    typer.run(main)
