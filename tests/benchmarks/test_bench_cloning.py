"""Which recordings of whom a benchmark of cloning takes."""

import json

import numpy as np
import soundfile
from cloning import people

TEXTS = ["One.", "Two.", "Three.", "Four [noise].", "Five."]


def corpus(folder):
    rows = []
    for speaker, seconds in (("anna", 4.0), ("bob", 3.0), ("carl", 1.0)):
        for number, text in enumerate(TEXTS):
            name = f"{speaker}{number}.wav"
            soundfile.write(folder / name, np.full(round(seconds * 16000), (number + 1) / 10, np.float32), 16000)
            rows.append({
                "id": name, "audio": name, "duration": seconds, "lang": "eng", "text": text, "speaker": speaker,
                "source": "ours" if speaker != "bob" else "others",
            })  # fmt: skip
    for part, own in (("train", rows[::2]), ("dev", rows[1::2]), ("test", [])):
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))


def test_a_person_has_two_recordings_of_different_clips_with_clear_texts(tmp_path):
    corpus(tmp_path)
    (anna,) = people(tmp_path, ["ours"], 5)  # clips of carl are too short
    assert (anna.name, anna.language) == ("ours anna", "eng")
    levels = [
        {*np.unique(samples.astype(np.float64).round(2)).tolist()} - {0.0} for samples in (anna.heard, anna.other)
    ]
    assert len(levels[0]) == 3  # ten seconds of four and a gap each
    assert len(levels[1]) == 1
    assert not levels[0] & levels[1]
    assert 0.4 not in levels[0] | levels[1]  # [noise]
    said = {round((TEXTS.index(text + ".") + 1) / 10, 2) for text in anna.text.replace(".", "").split()}
    assert said == levels[0]
    assert [person.name for person in people(tmp_path, ["ours", "others"], 1)] == ["ours anna"]
