"""The record of scores on dev."""

import json

from speech.train.adapters.module import read_scores


def test_a_line_that_is_cut_is_left_out_and_a_step_counts_as_it_was_last(tmp_path):
    def line(step: int, cer: float) -> str:
        return json.dumps({"step": step, "languages": {"ita": {"step": step, "dev_cer": cer}}}) + "\n"

    path = tmp_path / "scores.jsonl"
    path.write_text(line(0, 0.9) + line(2, 0.5) + line(2, 0.4) + line(4, 0.3).rstrip()[:-4])
    found = read_scores(path)
    assert list(found) == [0, 2]
    assert found[2]["ita"]["dev_cer"] == 0.4
