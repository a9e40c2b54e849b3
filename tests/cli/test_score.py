"""`speech score` through the command line: files in, table and JSON out."""

import fcntl
import json
import os

import pytest

from speech.cli import score
from speech.errors import ConfigError, DataError, FileError
from tests.cli.scoring import figures, run, written


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
    assert found["signature"] == "normalizer:2|wer:2"
    assert found["signature"] in shown


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
    with pytest.raises(FileError, match=r"nowhere.*cannot be written: there is no such folder"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--json", files / "nowhere" / "out.json")
    with pytest.raises(DataError, match="no file of vectors"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "use", "--cache", files / "good.txt" / "v")


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


def test_a_stream_of_a_recording_is_scored_by_its_segments(files):
    segment = {"recording": "talk", "duration": 2.0, "lang": "fra", "text": "x"}
    reference = written(
        files / "reference.jsonl",
        segment | {"id": "s1", "start": 1.0, "translations": {"eng": "good morning"}},
        segment | {"id": "s2", "start": 3.0, "translations": {"eng": "today we sing"}},
    )  # fmt: skip
    message = {"type": "translation", "segment": 0, "target": "eng", "is_final": False, "lag_ms": 0}
    said = [("good morning", 2500), ("good morning today we", 4000), ("good morning today we sing", 5200)]
    stream = written(
        files / "talk.jsonl",
        {"type": "started", "session": "s"},
        *(message | {"text": t, "words": [{"text": w} for w in t.split()], "audio_ms": at} for t, at in said),
        message | {"is_final": True, "text": said[-1][0], "words": [{"text": w} for w in said[-1][0].split()],
                   "audio_ms": 6000},
    )  # fmt: skip
    result = run(reference, stream, "--to", "en", "--encoder", "none", "--json", files / "out.json")
    (system,) = json.loads((files / "out.json").read_text())["systems"]
    first, second = system["utterances"]
    assert (first["id"], first["longyaal"], second["longyaal"]) == ("s1", 1.0, 0.6667)
    assert system["rates"]["longyaal"]["value"] == pytest.approx(5 / 6)
    assert system["rates"]["wer"]["value"] == 0.0
    assert "yaal" not in system["rates"]
    assert "LongYAAL (s)" in result.stdout
    with pytest.raises(DataError, match="lacks 1 of 1 ids: talk"):
        run(reference, files / "good.txt", "--to", "en", "--encoder", "none")


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
    with pytest.raises(FileError, match=r"nowhere.*cannot be written: there is no such folder"):
        run(files / "reference.txt", files / "good.txt", "--encoder", "none", "--html", files / "nowhere" / "a.html")


def test_a_name_that_is_markup_is_escaped_in_the_report(files):
    hostile = "<script>x"
    (files / f"{hostile}&.txt").write_bytes((files / "reference.txt").read_bytes())
    arguments = [files / f"{hostile}&.txt", files / "good.txt", "--system", f"</script>={files / 'good.txt'}"]
    assert run(*arguments, "--encoder", "none", "--html", files / "o.html").exit_code == 0
    page = (files / "o.html").read_text("utf-8")
    assert hostile not in page
    assert "<title>Scores: &lt;script&gt;x&amp;.txt</title>" in page
    assert page.count("</script>") == 2


def test_numbers_are_ids_on_both_sides(files):
    reference = written(files / "r.jsonl", {"id": 1, "text": "ja"}, {"id": "02", "text": "nein"})
    (files / "said.txt").write_text("1 ja\n02 nein\n")
    assert run(reference, files / "said.txt", "--encoder", "none").exit_code == 0
    (files / "said.txt").write_text("1 ja\n2 nein\n")
    with pytest.raises(DataError, match="lacks 1 of 2 ids: 02; has 1 ids that are not in the reference: 2"):
        run(reference, files / "said.txt", "--encoder", "none")


def test_outputs_are_tried_before_anything_is_read(files, monkeypatch):
    monkeypatch.setattr(score, "read_texts", lambda path: pytest.fail("was read"))
    common = [files / "reference.txt", files / "good.txt", "--encoder", "none"]
    for option in ("--json", "--html"):
        with pytest.raises(FileError, match=r"cannot be written: is a directory"):
            run(*common, option, files)
        with pytest.raises(ConfigError, match=rf"{option} .*reference\.txt is what is scored too"):
            run(*common, option, files / "reference.txt")
    with pytest.raises(ConfigError, match=r"--json .*o is the file of --html too"):
        run(*common, "--html", files / "o", "--json", files / "o")
    monkeypatch.setattr(score, "check_writable", lambda folder: (_ for _ in ()).throw(FileError("cannot be written")))
    with pytest.raises(FileError, match="cannot be written"):
        run(*common, "--json", files / "o")


@pytest.mark.skipif(not hasattr(fcntl, "F_SETPIPE_SZ"), reason="needs Linux")
@pytest.mark.parametrize(("option", "begins"), [("--json", b"{"), ("--html", b"<!DOCTYPE html>")])
def test_a_pipe_is_written_to_and_stays_a_pipe(files, option, begins):
    pipe = files / "pipe"  # never a real device: whoever replaces it by a file does so for the whole machine
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1 << 20)
        result = run(files / "reference.txt", files / "good.txt", "--encoder", "none", option, pipe)
        assert result.exit_code == 0
        assert pipe.is_fifo()
        assert os.read(reader, 1 << 20).startswith(begins)
    finally:
        os.close(reader)


def test_case_pairs_of_a_language_are_no_errors(files):
    reference = written(
        files / "r.jsonl", {"id": "u1", "text": "ılık İstanbul", "lang": "tur"},
        {"id": "u2", "text": "όχι", "lang": "el"}, {"id": "u3", "text": "Straße", "lang": "de"},
    )  # fmt: skip
    said = written(
        files / "said.jsonl", {"id": "u1", "text": "ILIK istanbul"}, {"id": "u2", "text": "ΟΧΙ"},
        {"id": "u3", "text": "STRASSE"},
    )  # fmt: skip
    run(reference, said, "--encoder", "none", "--json", files / "out.json")
    (system,) = json.loads((files / "out.json").read_text("utf-8"))["systems"]
    assert [system["total"][name]["substitutions"] for name in ("words", "characters")] == [0, 0]
    assert system["rates"]["cer"]["value"] == 0.0
