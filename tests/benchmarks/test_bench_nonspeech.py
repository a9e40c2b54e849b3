import numpy as np
from nonspeech import counted, hear
from sounds import clips


def test_a_run_that_was_interrupted_hears_only_what_is_left(tmp_path):
    path = tmp_path / "texts.jsonl"
    heard: list[int] = []

    def transcribe(samples: np.ndarray) -> str:
        heard.append(len(samples))
        return "one two" if len(heard) % 2 else ""

    whole = hear({"ours": transcribe}, 0.5, 0, path)
    assert len(heard) == len(list(clips(0.5, 0)))
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), "utf-8")
    assert [one["kind"] for one in hear({"ours": transcribe}, 0.5, 0, path)] == [one["kind"] for one in whole]
    assert len(heard) == len(lines) + 1
    hear({"ours": transcribe, "other": transcribe}, 0.5, 0, path)
    assert len(heard) == 3 * len(lines) + 1


def test_words_and_clips_with_words_are_counted_by_kind_and_over_all():
    found = [
        {"kind": "hum", "seconds": 2.0, "texts": {"ours": "", "peer": "You, you!"}},
        {"kind": "hum", "seconds": 3.0, "texts": {"ours": "...", "peer": "Thank you"}},
        {"kind": "music", "seconds": 5.0, "texts": {"ours": "la", "peer": ""}},
    ]
    kinds = counted(found, ["ours", "peer"])
    assert kinds["hum"]["peer"] == {"words": 4, "clips": 2}
    assert kinds["hum"]["ours"] == {"words": 0, "clips": 0}
    assert kinds["all"] == {
        "clips": 3, "seconds": 10.0, "ours": {"words": 1, "clips": 1}, "peer": {"words": 4, "clips": 2},
    }  # fmt: skip
