"""Add an n-gram language model over tokens and a lexicon of words to a model:

    uv run --group words recipes/owsm_ctc/language_model.py MODEL_DIR ROOT

Trains on the transcripts and translations of the training manifest in ROOT and on the most frequent words of each
language (package wordfreq, data CC-BY-SA 4.0), then tunes the weights on dev. Writes MODEL_DIR/lm.safetensors and
MODEL_DIR/lexicon.safetensors, which `speech transcribe` then uses.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import track

from speech.cli.recipe import start_command
from speech.data.batches import EvalBatches
from speech.data.manifest import Utterance, read_manifest
from speech.decode.ctc.beam import BeamDecoder
from speech.decode.ctc.frames import CtcFrames
from speech.decode.lm.lexicon import Lexicon
from speech.decode.lm.ngram import EDGE, TokenNgram
from speech.files import check_writable, read_text, write_atomically
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.base import CtcModel
from speech.models.checkpoint import LANGUAGE_MODEL, LEXICON, load_checkpoint
from speech.text.languages import resolve
from speech.text.normalize import plain_text
from speech.text.tokenizers.sentencepiece import Tokenizer

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
WORD_GRID = (
    (0.3, 0.8, 0.5, 10.0),
    (0.35, 0.9, 0.5, 9.0),
    (0.4, 0.8, 0.5, 8.0),
    (0.4, 0.9, 0.5, 6.0),
    (0.4, 0.9, 0.5, 8.0),
    (0.4, 0.9, 0.5, 10.0),
    (0.4, 0.9, 0.7, 10.0),
    (0.4, 1.0, 0.5, 8.0),
)
GENERAL_SHARE = 0.6
"""Share of wordfreq in a word's probability; the rest is its frequency in the training texts."""
SMALLEST_TEXT = 2000
ELISIONS = frozenset("c d j l m n s t qu all dall dell nell sull".split())
"""Elided words that wordfreq splits at an apostrophe and lists as words."""
HEADING = "\n## Language model\n\n"


def main(
    model: Path,
    root: Path,
    order: int = 8,
    prune: Annotated[float, typer.Option(help="Least weight of n-grams of three tokens and more.")] = 0.7,
    general: Annotated[int, typer.Option("--words", help="Most frequent words in the n-grams; 0: none.")] = 30_000,
    lexicon: Annotated[int, typer.Option(help="Words of a language; 0: those of the training texts.")] = 30_000,
    word_mass: Annotated[float, typer.Option(help="Words that a language's list weighs in all.")] = 20_000.0,
    dev_clips: Annotated[int, typer.Option(help="Dev utterances to choose weights on.")] = 300,
) -> None:
    """Train both models, tune the weights, write the files, and print the trials."""
    console = Console(highlight=False, markup=False)
    check_writable(model)
    loaded = load_checkpoint(model)
    tokenizer = loaded.tokenizer
    utterances = read_manifest(root / "train.jsonl", root, check_files=False)
    texts = [*written(utterances, tokenizer)]
    if general:
        for language in tokenizer.vocabulary.languages:
            texts += frequent(language, tokenizer, general, word_mass)
    ngram = TokenNgram.train(texts, order=order, prune=prune)
    console.print(f"{len(ngram.keys)} n-grams of {len(texts)} texts")
    dev = read_manifest(root / "dev.jsonl", root)
    random.Random(0).shuffle(dev)
    outputs = heard(loaded.model, tokenizer, dev[:dev_clips])
    plain = error_rate(outputs, tokenizer, BeamDecoder())
    console.print(f"without: WER {plain:.4f}")
    rates: dict[tuple[float, ...], float] = {}
    for weight, bonus in GRID:
        rates[weight, bonus] = error_rate(outputs, tokenizer, BeamDecoder(scorer=ngram, weight=weight, bonus=bonus))
        console.print(f"weight {weight:.2f}, bonus {bonus:.2f}: WER {rates[weight, bonus]:.4f}")
    words = Lexicon.train(probabilities(utterances, tokenizer.vocabulary.languages, lexicon))
    pieces = tokenizer.vocabulary.tokens
    with_words: dict[tuple[float, ...], float] = {}
    for weight, bonus, scale, penalty in WORD_GRID:
        words.scale, words.penalty = scale, penalty
        decode = BeamDecoder(scorer=ngram, lexicon=words, pieces=pieces, weight=weight, bonus=bonus)
        key = weight, bonus, scale, penalty
        with_words[key] = error_rate(outputs, tokenizer, decode)
        console.print(f"with words; weight, bonus, scale and penalty {key}: WER {with_words[key]:.4f}")
    best = min(with_words, key=lambda key: with_words[key])
    if with_words[best] > min(rates.values()):
        console.print("words do not help on the dev part; they are written all the same, see the card")
    ngram.weight, ngram.bonus, words.scale, words.penalty = best
    ngram.save(model / LANGUAGE_MODEL)
    words.save(model / LEXICON)
    known = sum(len(keys) for keys, _ in words.words.values())
    source = (
        " and the most frequent words of each language that wordfreq (data CC-BY-SA 4.0) knows"
        if general or lexicon
        else ""
    )
    card = read_text(model / "README.md").split(HEADING)[0]
    write_atomically(
        model / "README.md",
        f"{card}{HEADING}`{LANGUAGE_MODEL}`: {len(ngram.keys)} n-grams up to {order} tokens, Witten-Bell smoothing. "
        f"`{LEXICON}`: {known} words of {len(words.words)} languages. Both from the training transcripts and "
        f"translations{source}. Weight {best[0]}, bonus {best[1]} per token, scale {best[2]} and penalty {best[3]} of "
        f"words: the best of those tried on {len(outputs)} dev utterances, WER {plain:.3f} without either, "
        f"{min(rates.values()):.3f} with n-grams, {with_words[best]:.3f} with both.\n",
    )


def probabilities(utterances: list[Utterance], languages: Sequence[str], count: int) -> dict[str, dict[str, float]]:
    """Most likely words of each language with spaces, at most `count` (0: words of the training texts only)."""
    texts: dict[str, Counter[str]] = {code: Counter() for code in languages if resolve(code).spaces}
    for utterance in utterances:
        for code, text, weight in (
            (utterance.language, utterance.text, TRANSCRIPT),
            *((code, text, TRANSLATION) for code, text in utterance.translations.items()),
        ):
            for word in plain_text(text).split() if code in texts else ():
                texts[code][word] += weight
    found = {}
    for code, seen in texts.items():
        general = general_frequencies(code) if count else {}
        total = max(sum(seen.values()), SMALLEST_TEXT)
        both = Counter(
            {w: GENERAL_SHARE * general.get(w, 0.0) + (1 - GENERAL_SHARE) * seen[w] / total for w in {*general, *seen}}
        )
        if general or not count:  # the training texts alone would lack too many words
            found[code] = dict(both.most_common(count or None))
    return found


def general_frequencies(language: str) -> dict[str, float]:
    """Relative frequencies of words from wordfreq; empty if it lacks the language."""
    import wordfreq

    code = resolve(language).alpha2
    if code not in wordfreq.available_languages("small"):
        return {}
    table = wordfreq.get_frequency_dict(code, "small")
    plain = ((plain_text(word), frequency) for word, frequency in table.items())
    dropped = ELISIONS if language in ("fra", "ita", "cat") else frozenset()
    usual = ((w, f) for w, f in plain if w and " " not in w and w not in dropped)
    return {w: frequency for w, frequency in usual if not any(c.isdigit() for c in w)}


def written(utterances: list[Utterance], tokenizer: Tokenizer) -> Iterator[tuple[list[int], float]]:
    """Token ids and weight of each distinct transcript and translation, between edge tokens."""
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
    """Token ids and weight of the most frequent words of a language; the total weight is at most `mass`."""
    if not resolve(language).spaces:
        return
    for plain, frequency in Counter(general_frequencies(language)).most_common(count):
        if frequency * mass < 0.2:
            continue
        ids = tokenizer.encode(f"{plain} {plain}")
        half = tokenizer.encode(plain)
        if tokenizer.vocabulary.unk not in ids and ids[: len(half)] == half:
            yield ids[: len(half) + 1], frequency * mass


@torch.inference_mode()
def heard(model: CtcModel, tokenizer: Tokenizer, utterances: list[Utterance]) -> list[tuple[Utterance, CtcFrames]]:
    """Encoder outputs: CTC frames of each utterance."""
    by_id = {utterance.id: utterance for utterance in utterances}
    batches = EvalBatches(utterances, tokenizer, 120.0, plain_text)
    found = []
    for batch in track(batches, description="hearing", transient=True, total=len(batches)):
        output = model.encode(*model.features(batch.samples, batch.sample_lengths), batch.prefix)
        log_probs = model.ctc(output.x)
        for row, name in enumerate(batch.ids):
            own = log_probs[row : row + 1, : int(output.lengths[row])].clone()
            found.append((by_id[name], CtcFrames(own, output.lengths[row : row + 1], model.frame_s)))
    return found


def error_rate(outputs: list[tuple[Utterance, CtcFrames]], tokenizer: Tokenizer, decode: BeamDecoder) -> float:
    """Word error rate over all utterances."""
    total = ErrorCounts()
    for utterance, frames in outputs:
        spans = decode(frames, languages=(utterance.language,))[0]
        text = tokenizer.decode([span.id for span in spans])
        total += text_errors(utterance.text, text, utterance.languages).words
    return total.rate


if __name__ == "__main__":
    start_command(main)
