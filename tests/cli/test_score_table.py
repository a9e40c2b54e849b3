"""Tables of `speech score`: systems side by side, rows of languages, and what nothing was said of."""

import json

import pytest

from tests.cli.scoring import figures, run, written


def test_two_systems_stand_beside_each_other_with_significance_and_meaning(files):
    shown, found = figures(files, "--system", f"other={files / 'bad.txt'}", "--encoder", "use", "--cache", files / "v")
    good, other = found["systems"]
    assert good["against_first"] == {}
    assert other["against_first"]["wer"]["value"] == pytest.approx(
        other["rates"]["wer"]["value"] - good["rates"]["wer"]["value"]
    )
    assert set(other["against_first"]) == {"wer", "cer", "mer", "saer"}
    assert other["rates"]["saer"]["value"] > good["rates"]["saer"]["value"] > 0
    assert "encoder:universal-sentence-encoder" in found["signature"]
    assert all(word in shown for word in ("good", "other", "SAER", " p "))
    assert (files / "v").is_file()


def test_each_language_has_a_row_if_there_are_several(files):
    reference = written(
        files / "reference.jsonl",
        {"id": "u1", "text": "das file", "lang": "deu"}, {"id": "u2", "text": "我们去 shop", "lang": "cmn-eng"},
    )  # fmt: skip
    said = written(files / "said.jsonl", {"id": "u1", "text": "das feil"}, {"id": "u2", "text": "我们去 shop"})
    result = run(reference, said, "--encoder", "none", "--json", files / "out.json")
    groups = json.loads((files / "out.json").read_text())["groups"]
    assert [(one["name"], one["utterances"], one["rates"]["said"]["mer"]) for one in groups] == [
        ("cmn-eng", 1, 0.0), ("deu", 1, 0.5),
    ]  # fmt: skip
    assert "cmn-eng" in result.stdout
    assert "languages" not in run(files / "reference.txt", files / "good.txt", "--encoder", "none").stdout


def test_what_was_recognised_where_nothing_was_said_is_told(files):
    reference = written(files / "r.jsonl", {"id": "u1", "text": ""}, {"id": "u2", "text": "?!"})
    said = written(files / "said.jsonl", {"id": "u1", "text": "yes sir"}, {"id": "u2", "text": "a"})
    result = run(reference, said, "--encoder", "none", "--json", files / "out.json", "--html", files / "out.html")
    assert result.exit_code == 0
    rows = {row.split("│")[1].strip(): row.split("│")[2].strip() for row in result.stdout.splitlines() if "│" in row}
    assert rows == {"WER": "-", "CER": "-", "MER": "-", "inserted where nothing was said": "3 words (7 letters)"}
    (system,) = json.loads((files / "out.json").read_text("utf-8"))["systems"]
    assert system["total"]["silence"] == {"utterances": 2, "words": 3, "characters": 7}
    assert system["rates"] == {"wer": None, "cer": None, "mer": None}
    assert (system["total"]["words"]["insertions"], system["total"]["words"]["reference_length"]) == (3, 0)
    assert [one["wer"] for one in system["utterances"]] == [{"errors": 2, "units": 0}, {"errors": 1, "units": 0}]
    assert '"silence":{"utterances":2,"words":3,"characters":7}' in (files / "out.html").read_text("utf-8")


def test_insertions_into_silence_count_beside_others(files):
    (files / "reference.txt").write_text("u1 a b\nu2\n")
    (files / "good.txt").write_text("u1 a b\nu2 c\n")
    (files / "bad.txt").write_text("u1 a b\nu2\n")
    shown, found = figures(files, "--encoder", "none", "--system", f"quiet={files / 'bad.txt'}")
    assert [one["rates"]["wer"]["value"] for one in found["systems"]] == [0.5, 0.0]
    assert [one["total"]["silence"]["words"] for one in found["systems"]] == [1, 0]
    assert "1 word (1 letter)" in shown
    assert "0 words (0 letters)" in shown
    (files / "good.txt").write_text("u1 a b\nu2\n")
    assert "nothing was said" not in figures(files, "--encoder", "none")[0]


def test_brackets_and_colons_in_names_are_text(files):
    name = "beam [b8] :smile:"
    (files / f"{name}.txt").write_bytes((files / "bad.txt").read_bytes())
    arguments = [files / "reference.txt", files / f"{name}.txt", "--system", f"[/red]two={files / 'good.txt'}"]
    result = run(*arguments, "--encoder", "none", "--html", files / "o.html", "--json", files / "o.json")
    assert result.exit_code == 0
    assert name in result.stdout
    assert "[/red]two" in result.stdout
    assert [one["name"] for one in json.loads((files / "o.json").read_text("utf-8"))["systems"]] == [name, "[/red]two"]


def test_many_systems_are_rows_with_their_values_alone_where_columns_do_not_fit(files):
    others = [f"policy_of_a_name_that_is_long {n} ms={files / 'bad.txt'}" for n in (800, 1600, 2400, 3200)]
    more = [part for other in others for part in ("--system", other)]
    shown, found = figures(files, "--encoder", "none", *more)
    (row,) = [line for line in shown.splitlines() if line.strip().startswith("policy_of_a_name_that_is_long 1600 ms")]
    rates = found["systems"][2]["rates"]
    assert row.split()[3:] == [f"{rates[name]['value']:.3f}" for name in ("wer", "cer", "mer")]
    assert "3 utterances; latency in s; confidence and p are in --json and --html" in shown
    assert found["signature"] in shown
    few, _ = figures(files, "--encoder", "none", *more[:4])
    assert "3 utterances; 95 % confidence" in few
