"""`speech score --speech` on real speech: what is read, what a recogniser hears, and what is told of it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from speech.audio.input.files import load_audio
from speech.audio.vad import Vad, unpadded
from speech.data.manifest import read_manifest, write_manifest
from speech.errors import ConfigError, DataError
from tests.cli.scoring import run
from tests.conftest import CLIPS
from tests.stand_in_packages import DISTILLMOS, install, install_resemblyzer

CLIP_IDS = ("LJ003-0041", "kerstin_de_rhasspy-2423", "ast_ru_vm-next")
DOUBLED, CUT, KEPT = CLIP_IDS


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Two manifests of the same texts: clips as they are, and one said twice, one cut off, one with a pause."""
    clips = [clip for clip in read_manifest(CLIPS, check_files=True) if clip.id in CLIP_IDS]
    folder = tmp_path_factory.mktemp("spoken")
    pause = np.zeros(16_000, np.float32)
    changed = []
    for clip in clips:
        samples = load_audio(clip.audio)
        if clip.id == DOUBLED:
            samples = np.concatenate([samples, pause, samples])
        elif clip.id == CUT:
            samples = samples[: len(samples) // 2]
        audio = folder / f"{clip.id}.wav"
        soundfile.write(audio, samples, 16_000)
        changed.append(replace(clip, audio=audio))
    write_manifest(clips, folder / "clean.jsonl")
    write_manifest(changed, folder / "broken.jsonl")
    return folder


@pytest.fixture(scope="module")
def scored(systems):
    """Both, with a report and a page."""
    outputs = {f"--{kind}": systems / f"out.{kind}" for kind in ("json", "html")} | {"--page": systems / "page.html"}
    files = systems / "clean.jsonl", systems / "broken.jsonl"
    result = run("--speech", *files, *(part for pair in outputs.items() for part in pair), "--embed-audio")
    assert result.exit_code == 0
    return result.stdout, json.loads((systems / "out.json").read_text("utf-8"))


def each(found, number, name):
    return {one["id"]: one.get(name) for one in found["systems"][number]["utterances"]}


def test_texts_are_compared_in_words_as_they_are_spoken(scored):
    shown, found = scored
    assert each(found, 0, "heard")[KEPT] == "Нажмите 6 для прослушивания следующего сообщения."
    assert each(found, 0, "wer")[KEPT]["errors"] == 0
    clean, broken = (one["rates"]["wer"]["value"] for one in found["systems"])
    assert clean < 0.1 < broken
    assert found["signature"].startswith("normalizer:2|wer:2 recognizer:embedded@")
    assert found["signature"].endswith("|language:given|text:spoken")
    assert "recognizer:embedded@" in shown
    assert [group["name"] for group in found["groups"]] == ["deu", "eng", "rus"]


def test_what_was_said_twice_and_what_was_left_out_are_named(scored):
    shown, found = scored
    assert [one["rates"]["repeats"]["value"] for one in found["systems"]] == pytest.approx([0.0, 1 / 3])
    assert [one["rates"]["skips"]["value"] for one in found["systems"]] == pytest.approx([0.0, 1 / 3])
    (repeated,) = each(found, 1, "repeated")[DOUBLED]
    assert "exercising yards" in repeated
    (skipped,) = each(found, 1, "skipped")[CUT]
    assert "und kämpfen" in skipped
    assert f"broken: {CUT}: skipped {skipped!r}" in shown
    assert f"broken: {DOUBLED}: repeated {repeated!r}" in shown
    assert "clean: " not in shown


def test_rate_and_pauses_are_those_of_the_recording(scored):
    _, found = scored
    clip = load_audio(next(clip.audio for clip in read_manifest(CLIPS) if clip.id == DOUBLED))
    first, *_, last = np.ravel(unpadded(Vad().probabilities(clip), len(clip) / 16_000))
    silence_s = len(clip) / 16_000 - last + 1.0 + first  # behind the speech, put in, and before the speech
    assert max(each(found, 1, "pauses_s")[DOUBLED]) == pytest.approx(silence_s, abs=0.2)
    assert each(found, 1, "longest_pause_s")[DOUBLED] == pytest.approx(silence_s, abs=0.2)
    one, other = (each(found, number, "words_per_s")[DOUBLED] for number in (0, 1))
    assert 1.5 < one < 4.0
    assert other < 0.6 * one  # the text once, in more than twice the time
    assert each(found, 0, "pause_share")[CUT] == 0.0


def test_report_and_page_are_there(scored, systems):
    report, page = ((systems / name).read_text("utf-8") for name in ("out.html", "page.html"))
    assert '"title":"words/s"' in report
    assert "data:audio/" not in report  # two systems: the page has their recordings
    assert page.count("data:audio/mpeg;base64,") == 6
    assert "<title>Listening: clean.jsonl</title>" in page


def test_a_folder_of_texts_with_predicted_opinions(systems, tmp_path, monkeypatch):
    folder = tmp_path / "said"
    folder.mkdir()
    folder.joinpath("a.txt").write_text("There was no lack of air and light for the new jail.")
    soundfile.write(folder / "a.flac", load_audio(systems / f"{DOUBLED}.wav")[:48_000], 16_000)
    install(monkeypatch, tmp_path / "packages", "distillmos", DISTILLMOS)
    output = tmp_path / "out.json"
    report = tmp_path / "report.html"
    wanted = "--language", "en", "--opinions", "distillmos"
    result = run("--speech", folder, *wanted, "--json", output, "--html", report)
    assert result.exit_code == 0
    assert '"audio":"said/a.flac"' in report.read_text("utf-8")
    (system,) = json.loads(output.read_text("utf-8"))["systems"]
    assert 1.0 < system["rates"]["distillmos"]["value"] < 5.0
    assert system["utterances"][0]["heard"].startswith("There was no lack of air")
    assert "distillmos:7" in result.stdout


def test_a_recording_that_cannot_be_read_is_named_with_its_text(systems, tmp_path):
    (tmp_path / "a.txt").write_text("Hello.")
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(DataError, match=r"a: .*a\.wav: "):
        run("--speech", tmp_path, "--language", "eng", "--json", tmp_path / "out.json")
    with pytest.raises(DataError, match=r"a: .*a\.wav: "):
        run("--speech", tmp_path, "--system", f"b={tmp_path}", "--language", "eng", "--page", tmp_path / "p.html",
            "--embed-audio")  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "a.wav"]


def test_options_that_do_not_fit_are_refused(systems, tmp_path):
    clean = systems / "clean.jsonl"
    with pytest.raises(ConfigError, match="Add --speech"):
        run(clean, clean, "--page", tmp_path / "p.html")
    for others in (["--to", "eng"], ["--translation"], ["--simulate"], ["--policy", "wait_k"]):
        with pytest.raises(ConfigError, match="--speech scores no translations and no simulations"):
            run("--speech", clean, *others)
    with pytest.raises(ConfigError, match=r"two systems are called 'clean'.*NAME=FILE"):
        run("--speech", clean, clean)
    with pytest.raises(ConfigError, match="one listens to two systems or more"):
        run("--speech", clean, "--page", tmp_path / "p.html")
    with pytest.raises(ConfigError, match=r"--page .*clean\.jsonl is what is scored too"):
        run("--speech", clean, "--page", clean)


def test_voices_are_compared_with_those_of_references(systems, tmp_path, monkeypatch):
    install_resemblyzer(monkeypatch, tmp_path / "packages")
    clean, output = systems / "clean.jsonl", tmp_path / "out.json"
    one = tmp_path / "one.jsonl"
    one.write_text(clean.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    result = run("--speech", one, "--references", clean, "--json", output)
    assert json.loads(output.read_text("utf-8"))["systems"][0]["rates"]["similarity"]["value"] == pytest.approx(1.0)
    assert "similarity:resemblyzer-7" in result.stdout
    run("--speech", one, "--references", systems / f"{CUT}.wav", "--json", output)
    (other,) = json.loads(output.read_text("utf-8"))["systems"]
    assert 0.0 < other["rates"]["similarity"]["value"] < 1.0
    with pytest.raises(DataError, match=r"one\.jsonl: lacks 2 of 3 ids"):
        run("--speech", clean, "--references", one)
