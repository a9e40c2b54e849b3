"""Speed of scoring: all error rates of many utterances, and SAER compared with the bare encoder.

    python benchmarks/scoring.py form [--utterances 100000]
    python benchmarks/scoring.py saer [--sentences 4000]

The peers are jiwer, which computes WER and CER only, and the encoder alone with the same batches. Times are wall-clock,
which matters on an idle machine, and CPU seconds, which are more stable on a busy one.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
from rich.console import Console

from speech.metrics.bootstrap import Interval
from speech.metrics.corpus import CorpusScore, intervals, total
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.semantic import MultilingualUSE
from speech.metrics.meaning.vectors import BATCH, Vectors
from speech.metrics.processes import score_utterances
from speech.metrics.utterance import Pairing
from speech.text.lines import read_lines
from speech.text.normalize import plain_text

RESULT = Path(__file__).parent / "results" / "scoring.json"
ALTERNATIONS = 7
TEXTS = Path(__file__).parent.parent / "corpus" / "train.jsonl"


def sentences(count: int, wrong: float, seed: int) -> list[tuple[str, str]]:
    """Random pairs of a reference and a hypothesis with errors, made of words of the corpus."""
    rng = random.Random(seed)
    words = [word for line in read_lines(TEXTS) for word in json.loads(line)["text"].split()]
    pairs = []
    for _ in range(count):
        said = rng.choices(words, k=rng.randint(4, 20))
        heard = [rng.choice(words) if rng.random() < wrong else word for word in said if rng.random() > wrong / 4]
        pairs.append((" ".join(said), " ".join(heard)))
    return pairs


def spent() -> float:
    """CPU seconds of this process and its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Result of a call, wall-clock seconds and CPU seconds."""
    begin, used = time.perf_counter(), spent()
    found = work()
    return found, time.perf_counter() - begin, spent() - used


def form(utterances: int) -> dict[str, float]:
    pairs = sentences(utterances, 0.2, 0)
    pairings = [Pairing(*pair, id=str(n)) for n, pair in enumerate(pairs)]

    def ours(processes: int) -> tuple[CorpusScore, dict[str, Interval]]:
        scores = score_utterances(pairings, processes)
        return total(scores), intervals(scores)

    def theirs() -> tuple[float, float]:
        plain = [[plain_text(side) for side in sides] for sides in zip(*pairs, strict=True)]
        return jiwer.wer(*plain), jiwer.cer(*plain)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one, clock, used = timed(lambda: ours(1))
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    two, clock_of_two, used_by_two = timed(lambda: ours(2))
    (wer, cer), clock_of_jiwer, used_by_jiwer = timed(theirs)
    assert one == two
    assert abs(wer - one[0].words.rate) < 1e-12
    assert one[1]["wer"].low < wer < one[1]["wer"].high
    assert 0 < cer < 1
    return {
        "utterances": utterances,
        "seconds": round(clock, 1),
        "cpu_seconds": round(used, 1),
        "two_processes_seconds": round(clock_of_two, 1),
        "two_processes_cpu_seconds": round(used_by_two, 1),
        "jiwer_seconds": round(clock_of_jiwer, 1),
        "jiwer_cpu_seconds": round(used_by_jiwer, 1),
        "mib": more // 1024,
    }


def meaning(count: int) -> dict[str, float]:
    pairings = [Pairing(*pair) for pair in sentences(count // 2, 0.3, 1)]
    texts = sorted({plain_text(t) for s in pairings for t in (s.reference, s.hypothesis)}, key=lambda t: (len(t), t))
    encoder = MultilingualUSE()
    encoder.encode(texts[:BATCH])

    def bare() -> None:
        for start in range(0, len(texts), BATCH):
            encoder.encode(texts[start : start + BATCH])

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder:
            saer(pairings, Vectors(encoder, Path(folder) / "vectors.db"))

    runs = [(timed(bare), timed(whole)) for _ in range(ALTERNATIONS)]
    clock, used = (sorted(alone[n] / ours[n] for alone, ours in runs) for n in (1, 2))
    return {
        "sentences": len(texts),
        "share": round(statistics.median(clock), 3),
        "lowest": round(clock[0], 3),
        "cpu_share": round(statistics.median(used), 3),
    }


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
