"""Cost of live scoring: time per final and for the last score, and the difference between the two.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/live_score.py

References are random words and Chinese characters in sentences of twelve; one in five is misrecognised.
"""

from __future__ import annotations

import random
import statistics
import threading
import time

from serve.sessions.scoring import score_apart
from speech.metrics.live import LiveScore

SENTENCE = 12


def session(words: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """Reference and recognised units."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    known = ["".join(rng.choices(letters, k=rng.randrange(2, 9))) for _ in range(3000)]
    known += [chr(0x4E00 + n) for n in range(500)]
    said = rng.choices(known, k=words)
    heard = []
    for word in said:
        fate = rng.random()
        heard += [rng.choice(known)] if fate < 0.1 else [] if fate < 0.15 else [word, *rng.choices(known, k=fate < 0.2)]
    return said, heard


def sentences(words: list[str]) -> list[str]:
    return [" ".join(words[start : start + SENTENCE]) for start in range(0, len(words), SENTENCE)]


def waits(seconds: list[float], stop: threading.Event) -> None:
    """Delays of a thread that wants to run every 2 ms, like an event loop."""
    while not stop.is_set():
        before = time.perf_counter()
        time.sleep(0.002)
        seconds.append(time.perf_counter() - before - 0.002)


def main() -> None:
    """Print a table."""
    print("words  reference, each  final p50  p95     max     other thread p99.9  last score  it waits at most  MER")
    for words in (100, 1000, 10_000, 40_000):
        said, heard = session(words)
        score = LiveScore(whole=score_apart)
        began = time.perf_counter()
        for text in sentences(said):
            score.add_reference(text, languages=("eng", "cmn"))
        reference_s = (time.perf_counter() - began) / len(sentences(said))
        finals, gaps, stop, so_far = list[float](), list[float](), threading.Event(), None
        watcher = threading.Thread(target=waits, args=(gaps, stop))
        watcher.start()
        for text in sentences(heard):
            began = time.perf_counter()
            so_far = score.add_final(text)
            finals.append(time.perf_counter() - began)
        during, first = sorted(gaps), len(gaps)
        began = time.perf_counter()
        last = score.finish()
        last_s = time.perf_counter() - began
        stop.set()
        watcher.join()
        assert so_far is not None
        p95 = statistics.quantiles(finals, n=20)[-1] if len(finals) > 1 else finals[0]
        rates = [event.counts["mer"][0] / event.counts["mer"][1] for event in (so_far, last)]
        print(
            f"{words:6d} {reference_s * 1000:10.2f} ms {statistics.median(finals) * 1000:10.1f} {p95 * 1000:6.1f} "
            f"{max(finals) * 1000:8.1f} ms {during[int(0.999 * len(during))] * 1000:12.1f} ms {last_s:13.2f} s "
            f"{max(gaps[first:], default=0) * 1000:12.1f} ms     {rates[0]:.4f}, in the end {rates[1]:.4f}"
        )


if __name__ == "__main__":
    main()
