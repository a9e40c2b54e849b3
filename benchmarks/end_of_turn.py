"""How well an end-of-turn model tells finished turns from pauses, beside "the text ends with . ! ?".

    python benchmarks/end_of_turn.py TURNS TEXTS --output benchmarks/results/end_of_turn.json

TURNS is a folder of `recipes/dialogue/recognised_turns.py`: test.jsonl has what a recogniser wrote of whole clips and
of clips cut behind a word. TEXTS is one of `recipes/dialogue/turn_texts.py`: of its test.jsonl phrases of dialogues are
taken, each as it is with the mark that recognisers write most, a full stop unless it is a question. The sentences of
`benchmarks/sentences/` are taken whole and cut at a drawn place, with a full stop or nothing. Nothing of this was
trained on.

"Found" is the share of finished turns above the threshold that 5 % of the unfinished ones of the same set pass. What
the model says is compared with what is true in three classes: surely over, open, surely not.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table
from speech_output import SENTENCES, sentences
from timing import machine

from speech.dialogue.end_of_turn import EndOfTurn
from speech.metrics.detection import found_at, roc_area
from speech.text.turn_features import final_mark
from speech.train.end_of_turn.batches import PHRASES_SOURCE
from speech.train.end_of_turn.cuts import cut_place, frequent_words
from speech.train.end_of_turn.turns import WrittenTurn, read_turns

FALSE_ENDS = 0.05
SURE, UNSURE = 0.8, 0.3
"""From the first on a turn is taken as over, up to the second as not."""
_LEAST = 8
"""Languages with fewer finished or unfinished turns count in the sum only."""
_ALL = "all"


def phrases(texts: Iterable[WrittenTurn]) -> list[WrittenTurn]:
    """Those among texts, with the end that recognisers write most."""
    chosen = [own for own in texts if own.source == PHRASES_SOURCE]
    return [own if final_mark(own.text) else own._replace(text=own.text + ".") for own in chosen]


def cut_sentences(seed: int = 1) -> list[WrittenTurn]:
    """Whole and cut sentences of the benchmark."""
    rng, found = random.Random(seed), []
    for path in sorted(SENTENCES.glob("*.txt")):
        code, every = path.stem, sentences(path.stem)
        frequent = frequent_words((code, own) for own in every).get(code, frozenset())
        for number, own in enumerate(every):
            words = own.split()
            bare = own.rstrip(".")
            ending = rng.choice((".", ""))
            found.append(
                WrittenTurn(f"{code}-{number}", code, bare if bare.endswith(("?", "!")) else bare + ending, True, "")
            )
            if len(words) < 2:
                continue
            kept = " ".join(words[: cut_place(words, frequent, rng)]).rstrip(".,;:!?")
            found.append(WrittenTurn(f"{code}-{number}-cut", code, kept + rng.choice((".", "")), False, ""))
    return found


def scored(turns: Sequence[WrittenTurn], probabilities: Sequence[float]) -> dict[str, Any]:
    """Figures of a set of turns."""
    said = np.array(probabilities)
    over = np.array([own.finished for own in turns])
    marked = np.array([final_mark(own.text) in (".", "!", "?") for own in turns], float)
    found, threshold = found_at(said[over], said[~over], FALSE_ENDS)
    classes = {
        "sure": over[said >= SURE],
        "open": over[(said > UNSURE) & (said < SURE)],
        "unsure": over[said <= UNSURE],
    }
    return {
        "finished": int(over.sum()),
        "unfinished": int((~over).sum()),
        "roc_area": roc_area(said[over], said[~over]),
        "found": found,
        "threshold": threshold,
        "marks_roc_area": roc_area(marked[over], marked[~over]),
        "marks_found": float(marked[over].mean()) if over.any() else None,
        "marks_false": float(marked[~over].mean()) if (~over).any() else None,
        "classes": {
            name: {"turns": len(own), "finished": float(own.mean()) if len(own) else None}
            for name, own in classes.items()
        },
        "brier": float(((said - over) ** 2).mean()),
    }


def rows_of(model: EndOfTurn, name: str, turns: Sequence[WrittenTurn], named: bool) -> list[dict[str, Any]]:
    """Figures of a set, of all turns and of each language that has enough."""
    groups: Mapping[str, list[int]] = defaultdict(list)
    said = [model.probability(own.text, own.language if named else None) for own in turns]
    for number, own in enumerate(turns):
        groups[_ALL].append(number)
        groups[own.language].append(number)
    rows = []
    for code, numbers in sorted(groups.items()):
        own = scored([turns[n] for n in numbers], [said[n] for n in numbers])
        if code == _ALL or min(own["finished"], own["unfinished"]) >= _LEAST:
            rows.append({"set": name, "language": code, "named": named, **own})
    return rows


def median_ms(model: EndOfTurn, turns: Sequence[WrittenTurn]) -> float:
    """Median milliseconds of an answer."""
    seconds = []
    for own in turns:
        begun = time.perf_counter()
        model.probability(own.text, own.language)
        seconds.append(time.perf_counter() - begun)
    return 1000 * statistics.median(seconds)


def main(
    turns: Annotated[Path, typer.Argument(help="Folder with recognised test.jsonl.")],
    texts: Annotated[Path, typer.Argument(help="Folder with written test.jsonl.")],
    model: Annotated[Path | None, typer.Option(help="Folder of a model; without: the one of the package.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write figures as JSON.")] = None,
) -> None:
    """Print the table."""
    ours = EndOfTurn() if model is None else EndOfTurn.load(model)
    heard = read_turns(turns / "test.jsonl")
    rows = rows_of(ours, "recognised", heard, True)
    rows += [row for row in rows_of(ours, "recognised", heard, False) if row["language"] == _ALL]
    rows += rows_of(ours, "sentences", cut_sentences(), True)
    rows += rows_of(ours, "phrases", phrases(read_turns(texts / "test.jsonl")), True)
    table = Table(
        "turns", "language", "over", "not", "ROC area", "found", "marks: area", "found", "false", "p >= .8", "p <= .3"
    )
    for row in rows:
        figures = [row["roc_area"], row["found"], row["marks_roc_area"], row["marks_found"], row["marks_false"]]
        figures += [row["classes"][name]["finished"] for name in ("sure", "unsure")]
        language = row["language"] if row["named"] else "not named"
        shown = ["-" if own is None else f"{own:.3f}" for own in figures]
        table.add_row(row["set"], language, str(row["finished"]), str(row["unfinished"]), *shown)
    Console(width=140).print(table)
    ms = median_ms(ours, heard)
    Console().print(f"{ms:.3f} ms per answer", markup=False)
    if output is not None:
        content = {"machine": machine(), "false_ends": FALSE_ENDS, "ms": ms, "results": rows}
        output.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    typer.run(main)
