"""`speech score` through the command line: files in, table and JSON out."""

import json

import pytest
from typer.testing import CliRunner

from speech.cli.app import app
from speech.errors import ConfigError, DataError, FileError

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
    assert found["signature"] == "normalizer:2"
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
    with pytest.raises(FileError, match=r"nowhere.*cannot be written"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--json", files / "nowhere" / "out.json")
    with pytest.raises(DataError, match="no file of vectors"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "use", "--cache", files / "good.txt" / "v")


def written(path, *records):
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), "utf-8")
    return path


def test_translations_have_bleu_and_chrf_with_their_signature(files):
    pytest.importorskip("sacrebleu", reason="needs the extra `score`")
    shown, found = figures(files, "--encoder", "none", "--translation", "--system", f"same={files / 'reference.txt'}")
    good, same = found["systems"]
    assert [same["rates"][name]["value"] for name in ("bleu", "chrf")] == pytest.approx([100.0, 100.0])
    assert good["rates"]["chrf"]["low"] < good["rates"]["chrf"]["value"] < 100.0
    assert same["against_first"]["chrf"]["value"] > 0
    assert good["utterances"][1]["bleu"] == pytest.approx(100.0)
    assert "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|" in found["signature"]
    assert found["signature"] in shown
    assert all(heading in shown for heading in ("BLEU", "chrF", "100.0 [100.0, 100.0]"))


def test_words_with_times_have_latency(files):
    words = [{"text": "das", "emitted": 0.5}, {"text": "file", "emitted": 1.5}]
    reference = written(
        files / "reference.jsonl",
        {"id": "u1", "text": "das file", "duration": 2.0}, {"id": "u2", "text": "ja"}, {"id": "u3", "text": "nein"},
    )  # fmt: skip
    said = written(
        files / "said.jsonl",
        {"id": "u1", "text": "das file", "words": words}, {"id": "u2", "text": "ja"},
        {"id": "u3", "text": "nein", "duration": 1.0, "words": [{"text": "nein", "emitted": 1.2}]},
    )  # fmt: skip
    result = run(reference, said, "--encoder", "none", "--json", files / "out.json")
    (system,) = json.loads((files / "out.json").read_text())["systems"]
    assert {name: system["rates"][name]["value"] for name in ("al", "laal", "dal", "yaal")} == pytest.approx(
        {"al": 0.85, "laal": 0.85, "dal": 0.85, "yaal": 0.5}
    )
    assert system["utterances"][0]["al"] == 0.5
    assert "al" not in system["utterances"][1]
    assert "YAAL (s)" in result.stdout
    assert "said: latency leaves out 1 utterances" in result.stdout


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


def test_a_report_is_one_file_with_the_audio_that_is_known(files):
    (files / "a.wav").write_bytes(b"RIFF")
    reference = written(files / "reference.jsonl", {"id": "u1", "text": "das file", "audio": "a.wav"},
                        {"id": "u2", "text": "</script>", "audio": "gone.wav"})  # fmt: skip
    said = written(files / "said.jsonl", {"id": "u1", "text": "das feil"}, {"id": "u2", "text": "x"})
    (files / "out").mkdir()
    page = files / "out" / "page.html"
    assert run(reference, said, "--encoder", "none", "--html", page).exit_code == 0
    text = page.read_text("utf-8")
    assert '"audio":"../a.wav"' in text
    assert "gone.wav" not in text
    with pytest.raises(DataError, match=r"gone.wav: cannot be put into the report"):
        run(reference, said, "--encoder", "none", "--html", page, "--embed-audio")
    (files / "gone.wav").write_bytes(b"RIFF")
    run(reference, said, "--encoder", "none", "--html", page, "--embed-audio")
    assert page.read_text("utf-8").count(";base64,UklGRg==") == 2
    assert [file.name for file in (files / "out").iterdir()] == ["page.html"]


def test_audio_is_embedded_in_a_report_only(files):
    with pytest.raises(ConfigError, match="--html FILE"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--embed-audio")
    with pytest.raises(FileError, match=r"nowhere.*cannot be written"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--html", files / "nowhere" / "a.html")
