"""`recipes/hybrid`: from a published Whisper to a model in which it writes beside CTC, and how that is tuned."""

from __future__ import annotations

import importlib.util
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from speech.data.manifest import Utterance, read_manifest, write_manifest
from speech.decode.label.joint import Candidate, JointConfig
from speech.errors import DataError
from speech.metrics.edit.alignment import ErrorCounts
from speech.models.checkpoint import load_label_checkpoint
from speech.models.hybrid import load_hybrid
from speech.recognizer import Recognizer
from speech.transcript import Word
from tests.cli.calling import run as command_line
from tests.conftest import CORPUS
from tests.published_whisper import write_hugging_face
from tests.tiny_hybrid import save_tiny_hybrid

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "hybrid"
CODES = ("deu", "eng", "spa")


def trained(*options: str) -> str:
    """What the training, in a process of its own, says on standard output."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(RECIPE / "train.py"), *options]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return ran.stdout


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., str]]:
    """Runs a script of the recipe as `python SCRIPT ...` does, but in this process, which has imported torch."""
    before = {*sys.modules}

    def run(script: str, *arguments: str) -> str:
        path = str(RECIPE / script)
        monkeypatch.setattr(sys, "argv", [path, *arguments])
        monkeypatch.syspath_prepend(RECIPE)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(path, run_name="__main__")
        said = capsys.readouterr()
        assert not ended.value.code, said.err
        return said.out

    yield run
    for name in {*sys.modules} - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "").parent == RECIPE:
            del sys.modules[name]


def speech(*arguments: str) -> str:
    done = command_line(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(RECIPE)  # where Python looks for its siblings
    spec = importlib.util.spec_from_file_location(f"hybrid_{name}", RECIPE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # where its dataclasses look for their types
    spec.loader.exec_module(module)
    return module


def sentences(part: str, code: str, count: int) -> list[Utterance]:
    """The shortest of the repository's corpus that have three words and that a tiny decoder has places for."""
    found = [u for u in read_manifest(CORPUS / f"{part}.jsonl") if u.language == code and u.duration_s > 1.5]
    fitting = [u for u in found if len(u.text.split()) >= 3 and len(u.text) < 45]
    return sorted(fitting, key=lambda u: (u.duration_s, u.id))[:count]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for part, count in (("train", 3), ("dev", 1), ("test", 1)):
        write_manifest([u for code in CODES for u in sentences(part, code, count)], folder / f"{part}.jsonl")
    return folder


def test_from_published_weights_to_a_hybrid_that_transcribes(corpus, checkpoint, python, tmp_path):
    published, base = write_hugging_face(tmp_path / "published"), tmp_path / "base"
    speech("import", str(published), "--to", str(base))

    timed = tmp_path / "train_words.jsonl"
    assert "with word times" in python("prepare.py", str(corpus), str(timed))
    prepared = read_manifest(timed, corpus, check_files=True)
    whole = read_manifest(corpus / "train.jsonl", corpus)
    assert [replace(u, words=()) for u in prepared] == whole
    clear = [u for u in prepared if u.words]
    assert len(clear) >= len(whole) // 2
    for utterance in clear:
        assert [word.text for word in utterance.words] == utterance.text.split()
        assert set(utterance.languages) == {utterance.language}
        ends = [word.end_s for word in utterance.words]
        assert ends == sorted(ends)
        assert 0 < ends[0] <= ends[-1] <= utterance.duration_s + 0.1

    output = tmp_path / "run"
    options = [f"base={base}", f"data.root={corpus}", f"data.train={timed}", f"output={output}", "debug=default"]
    options.append("+added.lad=[spa]")
    small = ["label.single=2", "label.drawn=4", "label.joined_s=[2.0,5.0]", "label.cut=0.5", "trainer.progress=false"]
    said = trained(*options, *small)
    assert f"label model: {output}/model" in said.replace("\n", "")
    before, after = load_label_checkpoint(base), load_label_checkpoint(output / "model")
    name = "decoder.layers.0.cross.query.weight"
    assert not torch.allclose(before.model.state_dict()[name], after.model.state_dict()[name], atol=1e-6)
    assert before.tokenizer.data == after.tokenizer.data
    steps = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert any("dev/text" in row for row in steps)
    for path in (output / "model").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()

    made = tmp_path / "hybrid"
    said = python(
        "assemble.py", str(checkpoint), str(output / "model"), str(made), "--data", str(corpus), "--beam", "2"
    )
    assert "WER on dev by weight of CTC" in said
    table = json.loads(said.strip().splitlines()[-1])
    assert set(table) <= set(CODES)
    weights = {"0", "0.05", "0.1", "0.15", "0.2", "0.3", "0.4", "0.6", "0.8", "1"}
    assert all(set(row) == {"units", *weights} for row in table.values())
    hybrid = load_hybrid(made)
    assert hybrid.joint.beam == 2
    assert not list(tmp_path.glob(".untuned*"))
    clip = str(sentences("test", "eng", 1)[0].audio)
    assert json.loads(speech("transcribe", "--model", str(made), "--format", "json", "--language", "eng", clip))


def trial(tune: ModuleType, language: str, said: int, by_label: int, by_ctc: int, *, apart: float = 10.0) -> object:
    """CTC's text wins from the weight on at which its lead, 100, makes up for what it is `apart` by the decoder."""
    candidates = (Candidate("label", -1.0, -150.0), Candidate("ctc", -1.0 - apart, -50.0, by_ctc=True))
    errors = (counts(said, by_label), counts(said, by_ctc))
    return tune.Trial(language, candidates, errors, counts(said, said))


def counts(said: int, wrong: int) -> ErrorCounts:
    return ErrorCounts(deletions=wrong, reference_length=said)


def test_the_weight_and_the_languages_with_fewest_errors_are_chosen(monkeypatch):
    tune = loaded("tune", monkeypatch)
    found = [
        trial(tune, "deu", 40, by_label=20, by_ctc=5, apart=12.0),  # from .15 on
        trial(tune, "deu", 40, by_label=2, by_ctc=30, apart=25.0),  # and no more than .2
        trial(tune, "eng", 50, by_label=1, by_ctc=20, apart=12.0),  # CTC never helps
        trial(tune, "spa", 10, by_label=9, by_ctc=0, apart=1.0),  # too little to tell
    ]
    joint, table = tune.choose(found, JointConfig(beam=3))
    assert (joint.ctc_weight, joint.learnt, joint.ctc_weights, joint.beam) == (0.15, ["deu"], {}, 3)
    assert table["deu"]["units"] == 80
    assert [table["deu"][name] for name in ("0", "0.1", "0.15", "0.3")] == [0.275, 0.275, 0.0875, 0.4375]
    assert table["eng"]["0"] == 0.02
    assert table["spa"]["0.05"] == 0.0
    assert list(table) == ["deu", "eng", "spa"]


def test_a_language_that_needs_more_of_ctc_has_a_weight_of_its_own(monkeypatch):
    tune = loaded("tune", monkeypatch)
    found = [
        *[trial(tune, "deu", 40, by_label=20, by_ctc=0, apart=8.0) for _ in range(9)],  # from .1 on
        trial(tune, "ron", 40, by_label=3, by_ctc=2, apart=8.0),
        trial(tune, "ron", 40, by_label=20, by_ctc=5, apart=50.0),  # from .6 on
    ]
    joint, _ = tune.choose(found, JointConfig())
    assert (joint.ctc_weight, joint.learnt, joint.ctc_weights) == (0.6, ["deu", "ron"], {})
    joint, _ = tune.choose([*found, *[trial(tune, "deu", 400, by_label=200, by_ctc=0, apart=8.0)] * 9], JointConfig())
    assert joint.learnt == ["deu", "ron"]


def test_where_ctc_helps_nobody_it_is_learnt_nowhere_and_without_speech_nothing_is_chosen(monkeypatch):
    tune = loaded("tune", monkeypatch)
    joint, _ = tune.choose([trial(tune, "eng", 50, by_label=0, by_ctc=9, apart=1.0)], JointConfig())
    assert joint.learnt == []
    with pytest.raises(DataError, match="no utterance in a language that both know"):
        tune.choose([], JointConfig())


def test_without_the_word_of_ctc_its_texts_are_not_chosen_unless_there_are_no_others(monkeypatch):
    tune = loaded("tune", monkeypatch)
    ahead = trial(tune, "eng", 10, by_label=4, by_ctc=1, apart=-5.0)  # likelier by the decoder itself
    assert ahead.error(0.0).errors == 4
    assert ahead.error(0.05).errors == 1
    only = replace(ahead, candidates=ahead.candidates[1:], errors=ahead.errors[1:])
    assert only.error(0.0).errors == 1
    assert replace(ahead, candidates=(), errors=()).error(0.1).errors == 10


def test_trials_are_of_speech_that_both_know_and_that_fits_in_one_part(monkeypatch, tmp_path):
    tune = loaded("tune", monkeypatch)
    save_tiny_hybrid(tmp_path / "hybrid", JointConfig(beam=2))
    second = Recognizer.from_pretrained(str(tmp_path / "hybrid")).second_pass
    first = sentences("test", "eng", 1)[0]
    others = [replace(first, id=code, language=code) for code in ("gla", "spa")]  # only CTC, only the decoder
    silent = replace(first, id="none", text="")
    found = list(tune.trials(second, [first, *others, silent]))
    assert [one.language for one in found] == ["eng"]
    assert found[0].silence.errors == len(first.text.split())
    assert len(found[0].candidates) == len(found[0].errors) >= 1
    words = (Word("家里", 0.0, 0.1, 1.0, "cmn"), Word("tea", 0.1, 0.2, 1.0, "eng"))
    [mixed] = tune.trials(second, [replace(first, text="家里 tea", words=words)])
    assert mixed.silence.errors == 3  # two characters and a word
    monkeypatch.setattr(tune, "load_audio", lambda path: torch.zeros(31 * 16000).numpy())
    assert list(tune.trials(second, [first])) == []


def test_clips_whose_words_cannot_be_told_are_left_as_they_are(monkeypatch):
    prepare = loaded("prepare", monkeypatch)
    asked: list[str] = []

    class Aligner:
        """Hears every text that it is asked for, with the confidence that the text names."""

        def align(self, audio: Path, text: str, *, language: str) -> object:
            asked.append(text)
            if "unwritable" in text:
                raise DataError("letters that the model does not write")
            confidence = 0.1 if "unsure" in text else 0.9
            said = tuple(Word(w.lower(), n, n + 1, confidence, language) for n, w in enumerate(text.split()))
            return type("Transcript", (), {"words": said})

    clip = sentences("test", "eng", 1)[0]
    timed = (Word("a", 0.0, 1.0, 1.0, "eng"),)
    texts = ["One, two three.", "two words", "an unsure text", "an unwritable text", "a b & c", "it is well-known"]
    utterances = [replace(clip, id=text, text=text) for text in texts]
    utterances += [replace(clip, words=timed), replace(clip, duration_s=1.0), replace(clip, language="cmn")]
    found = list(prepare._aligned(Aligner(), utterances, 1.5))
    assert [u.words for u in found[1:4]] == [(), (), ()]
    assert [(w.text, w.end_s, w.language) for w in found[0].words] == [
        ("One,", 1, "eng"), ("two", 2, "eng"), ("three.", 3, "eng"),
    ]  # fmt: skip
    assert found[4].words == ()  # the sign is no word
    assert found[6:] == utterances[6:]
    assert asked[:3] == ["One, two three.", "an unsure text", "an unwritable text"]


def test_a_dev_manifest_that_is_missing_is_said_before_anything_is_written(checkpoint, monkeypatch, tmp_path):
    assemble = loaded("assemble", monkeypatch)
    with pytest.raises(DataError, match=r"dev\.jsonl.*no such manifest"):
        assemble.main(str(checkpoint), str(checkpoint), tmp_path / "made", tmp_path)
    assert not list((tmp_path / "made").glob("*"))
