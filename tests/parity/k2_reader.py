"""Run by an interpreter that has k2, to answer test_k2.py: `python k2_reader.py SEARCH FOLDER`.

SEARCH is `speech/decode/graph/k2_search.py`, loaded alone. FOLDER has graphs.json: for each case `arcs` and `final` of
its graph, `lengths` of its utterances and `options` of the search; and scores.npz: under the number of each case,
(batch, T, 1 + tokens). Writes found.json there: for each case tokens and score of each utterance, and seconds spent.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch


def main(search: str, folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("k2_search", search)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = []
    with np.load(folder / "scores.npz") as scores:
        for number, case in enumerate(json.loads((folder / "graphs.json").read_text())):
            started = time.perf_counter()
            graph = module.Search(case["arcs"], {int(state): cost for state, cost in case["final"].items()})
            built = time.perf_counter()
            best = graph.best(torch.from_numpy(scores[str(number)]), case["lengths"], **case["options"])
            ended = time.perf_counter()
            found.append({"best": best, "build_s": built - started, "search_s": ended - built})
    (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1], Path(sys.argv[2]))
