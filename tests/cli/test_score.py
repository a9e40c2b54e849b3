"""`speech score` through the command line: files in, table and JSON out."""

import json

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.errors import ConfigError, DataError

REFERENCE = {"u1": "das meeting war gut", "u2": "guten morgen zusammen", "u3": "send mir das file"}
GOOD = REFERENCE | {"u1": "das miting war gut"}
BAD = {"u1": "das", "u2": "guten abend", "u3": "sende mir das feil bitte"}


def run(*arguments):
    return CliRunner().invoke(app, ["score", *map(str, arguments)], catch_exceptions=False, env={"COLUMNS": "160"})


@pytest.fixture
def files(tmp_path):
    for name, texts in (("reference", REFERENCE), ("good", GOOD), ("bad", BAD)):
        (tmp_path / f"{name}.txt").write_text("".join(f"{key} {text}\n" for key, text in texts.items()))
    return tmp_path


def figures(files, *more):
    result = run(files / "reference.txt", files / "good.txt", "--json", files / "out.json", *more)
    assert result.exit_code == 0
    return result.stdout, json.loads((files / "out.json").read_text())


def test_one_system_is_scored_with_confidence_and_signature(files):
    shown, found = figures(files, "--encoder", "none")
    (system,) = found["systems"]
    assert system["name"] == "good"
    assert system["rates"]["wer"]["value"] == pytest.approx(1 / 11)
    assert system["rates"]["wer"]["low"] == 0.0 < 1 / 11 < system["rates"]["wer"]["high"]
    assert [one["wer"] for one in system["utterances"]] == [
        {"errors": 1, "units": 4}, {"errors": 0, "units": 3}, {"errors": 0, "units": 4},
    ]  # fmt: skip
    assert "0.091 [0.000, " in shown
    assert "SAER" not in shown
    assert found["signature"] == "normalizer:1"
    assert found["signature"] in shown


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


def test_json_goes_to_standard_output_alone(files):
    result = run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--json", "-")
    assert json.loads(result.stdout)["systems"][0]["name"] == "good"
    assert "WER" in result.stderr


def test_points_of_interest_come_from_tags(files):
    (files / "reference.txt").write_text(
        "u1 das <tag meeting> war gut\nu2 guten morgen zusammen\nu3 send mir das <tag file>\n"
    )
    shown, found = figures(files, "--encoder", "none")
    assert found["systems"][0]["rates"]["pier"]["value"] == 0.5
    assert "PIER leaves out 1 utterances" in shown


def test_ids_that_do_not_fit_are_named_and_nothing_is_written(files):
    (files / "good.txt").write_text("u1 a\nu9 b\n")
    with pytest.raises(DataError, match="lacks 2 of 3 ids: u2, u3; has 1 ids that are not in the reference: u9"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--json", files / "out.json")
    assert not (files / "out.json").exists()


@pytest.mark.parametrize("given", ["bad.txt", "=bad.txt", "name="])
def test_a_system_needs_a_name_and_a_file(files, given):
    with pytest.raises(ConfigError, match="NAME=FILE"):
        run(files / "reference.txt", files / "good.txt", "--system", given)


def test_two_systems_need_two_names(files):
    with pytest.raises(ConfigError, match="two systems are called 'good'"):
        run(files / "reference.txt", files / "good.txt", "--system", f"good={files / 'bad.txt'}")


def test_a_place_that_cannot_be_written_is_named(files):
    with pytest.raises(DataError, match=r"nowhere.*cannot be written"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--json", files / "nowhere" / "out.json")
    with pytest.raises(DataError, match="no file of vectors"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "use", "--cache", files / "good.txt" / "v")
