"""How fast scoring is: all figures of form of many utterances, and SAER against the bare encoder.

    python benchmarks/scoring.py form [--utterances 100000]
    python benchmarks/scoring.py saer [--sentences 4000]

The peers: jiwer, which counts words and characters only, and the encoder by itself with the same batches.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

import jiwer
from rich.console import Console

from speech.metrics.corpus import Pairing, intervals, score_utterance, total
from speech.metrics.saer import Sample, saer
from speech.metrics.semantic import MultilingualUSE
from speech.metrics.vectors import BATCH, Vectors
from speech.text.normalize import plain_text

RESULT = Path(__file__).parent / "results" / "scoring.json"
TEXTS = Path(__file__).parent.parent / "corpus" / "train.jsonl"


def sentences(count: int, wrong: float, seed: int) -> list[tuple[str, str]]:
    """Pairs of a reference and a hypothesis, of words of the corpus, with errors."""
    rng = random.Random(seed)
    words = [word for line in TEXTS.read_text("utf-8").splitlines() for word in json.loads(line)["text"].split()]
    pairs = []
    for _ in range(count):
        said = rng.choices(words, k=rng.randint(4, 20))
        heard = [rng.choice(words) if rng.random() < wrong else word for word in said if rng.random() > wrong / 4]
        pairs.append((" ".join(said), " ".join(heard)))
    return pairs


def form(utterances: int) -> dict[str, float]:
    pairs = sentences(utterances, 0.2, 0)
    pairings = [Pairing(Sample(*pair, id=str(n))) for n, pair in enumerate(pairs)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    scores = [score_utterance(pairing) for pairing in pairings]
    found, sure = total(scores), intervals(scores)
    seconds = time.perf_counter() - begin
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    begin = time.perf_counter()
    plain = [[plain_text(side) for side in sides] for sides in zip(*pairs, strict=True)]
    rate = jiwer.wer(*plain)
    jiwer.cer(*plain)
    theirs = time.perf_counter() - begin
    assert abs(rate - found.words.rate) < 1e-12
    assert sure["wer"].low < rate < sure["wer"].high
    return {
        "utterances": utterances,
        "seconds": round(seconds, 1),
        "jiwer_seconds": round(theirs, 1),
        "mib": more // 1024,
    }


def meaning(count: int) -> dict[str, float]:
    samples = [Sample(*pair) for pair in sentences(count // 2, 0.3, 1)]
    texts = sorted({plain_text(t) for s in samples for t in (s.reference, s.hypothesis)}, key=lambda t: (len(t), t))
    encoder = MultilingualUSE()
    encoder.encode(texts[:BATCH])
    rates = []
    for _ in range(3):  # alternating
        begin = time.perf_counter()
        for start in range(0, len(texts), BATCH):
            encoder.encode(texts[start : start + BATCH])
        bare = time.perf_counter() - begin
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            saer(samples, Vectors(encoder, Path(folder) / "vectors.db"))
            rates.append(bare / (time.perf_counter() - begin))
    rates.sort()
    return {"sentences": len(texts), "share": round(rates[1], 3), "lowest": round(rates[0], 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["form", "saer"])
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--sentences", type=int, default=4_000)
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    found = form(given.utterances) if given.what == "form" else meaning(given.sentences)
    Console().print(found)
    if given.save:
        kept = json.loads(RESULT.read_text()) if RESULT.exists() else {}
        RESULT.write_text(json.dumps(kept | {given.what: found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
