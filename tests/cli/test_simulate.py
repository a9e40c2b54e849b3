"""`speech score --simulate`: settings by name, what is kept when a setting fails, and the model that ships."""

import json
import re

import numpy as np
import pytest
import soundfile

from speech.audio.input.files import load_audio
from speech.cli import simulate
from speech.cli.simulate import policy_settings
from speech.data.manifest import read_manifest
from speech.errors import ConfigError, DataError, LanguageError
from speech.events import TranslationEvent
from speech.stream.options import TranslationOptions
from speech.transcript import Word
from speech.translate.align_att import AlignAtt
from speech.translate.emma import Emma
from speech.translate.hold_n import HoldN
from speech.translate.local_agreement import LocalAgreement
from tests.cli.scoring import run, written
from tests.conftest import CLIPS


def test_each_setting_of_each_policy_has_a_name():
    found = policy_settings("complete, align_att,local_agreement", "800,1600", "2,3", None, append=True)
    assert found == {
        "complete": None,
        "align_att 800 ms": TranslationOptions(policy=AlignAtt(margin_s=0.8), append=True),
        "align_att 1600 ms": TranslationOptions(policy=AlignAtt(margin_s=1.6), append=True),
        "local_agreement 800 ms n=2": TranslationOptions(policy=LocalAgreement(n=2), step_s=0.8, append=True),
        "local_agreement 800 ms n=3": TranslationOptions(policy=LocalAgreement(n=3), step_s=0.8, append=True),
        "local_agreement 1600 ms n=2": TranslationOptions(policy=LocalAgreement(n=2), step_s=1.6, append=True),
        "local_agreement 1600 ms n=3": TranslationOptions(policy=LocalAgreement(n=3), step_s=1.6, append=True),
    }
    assert policy_settings("hold_n,align_att", None, "6", None, append=False) == {
        "hold_n n=6": TranslationOptions(policy=HoldN(n=6)),
        "align_att": TranslationOptions(),
    }
    assert policy_settings(None, None, None, None, append=False) == {"complete": None}
    assert policy_settings("emma", None, None, "0.3,0.5", append=False) == {
        f"emma threshold={least}": TranslationOptions(policy=Emma(threshold=least)) for least in (0.3, 0.5)
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("align", None, None), "--policy align.*Policies are complete, align_att"),
        (("align_att", "soon", None), "--latency-ms soon.*whole numbers"),
        (("hold_n", "800", None), "--latency-ms is no option of hold_n"),
        (("align_att,complete", None, "2"), "--n is no option of align_att, complete"),
        ((None, "800", None), "--latency-ms is no option of complete"),
        (("local_agreement", "20000", None), "drafts every 20 s"),
        (("align_att,", None, None), "--policy .*Policies are"),
        (("align_att", None, None, "0.5"), "--threshold is no option of align_att"),
        (("emma", None, None, "half"), "--threshold half.*Write numbers"),
        (("emma", None, None, "2"), "EMMA with a threshold of 2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(given, said):
    with pytest.raises(ConfigError, match=said):
        policy_settings(*[*given, None][:4], append=False)


class Loaded:
    """A model that translates everything with one word, in the last message; it does not know German, and `drafted`
    counts how often it may use a policy."""

    def __init__(self, drafted=99):
        self.opened, self._drafted = [], drafted

    def check(self, request):
        if "deu" in request.languages:
            raise LanguageError("the model does not know German")

    def engine(self):
        return self

    def open(self, options):
        self.opened.append((options.languages, options.targets, options.translation))
        if len(self.opened) > self._drafted:
            raise ConfigError("no more")
        return self

    def accept(self, samples):
        return []

    def finish(self):
        word = Word("hello", 0.0, 0.1, 1.0, "eng")
        return [
            TranslationEvent(
                segment=0, target="eng", is_final=True, text="hello", stable=1, words=(word,), start_s=0.0, end_s=0.1,
                audio_s=0.1,
            )
        ]  # fmt: skip


@pytest.fixture
def manifest(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(4000, np.float32), 16_000)
    line = {"audio": "a.wav", "duration": 0.25, "lang": "fra", "text": "bonjour", "translations": {"eng": "hello"}}
    return written(tmp_path / "manifest.jsonl", line | {"id": "u1"}, line | {"id": "u2", "translations": {}})


def load(monkeypatch, loaded):
    monkeypatch.setattr(simulate.Recognizer, "from_pretrained", lambda name, device: loaded)
    return loaded


def results(manifest):
    found = json.loads((manifest.parent / "out.json").read_text("utf-8"))
    return {one["name"]: one["rates"] for one in found["systems"]}


def live(manifest, *more):
    return run(manifest, "--simulate", "--to", "en", "--encoder", "none", "--json", manifest.parent / "out.json", *more)


def test_each_setting_is_a_system_and_only_what_has_a_translation_is_translated(manifest, monkeypatch):
    pytest.importorskip("sacrebleu", reason="needs the extra `score`")
    loaded = load(monkeypatch, Loaded())
    said = written(manifest.parent / "said.jsonl", {"id": "u1", "text": "hallo"})
    shown = live(manifest, said, "--policy", "complete,align_att")
    assert list(results(manifest)) == ["said", "complete", "align_att"]
    assert results(manifest)["complete"]["chrf"]["value"] == 100.0
    assert results(manifest)["complete"]["laal"]["value"] == 0.25
    assert {(languages, targets) for languages, targets, _ in loaded.opened} == {(("fra",), ("eng",))}
    assert loaded.opened[-1][2] == TranslationOptions()
    assert "complete: 0.2 s of audio in " in shown.stderr
    assert "computation-aware" not in shown.stdout


def test_computation_counts_if_that_is_wanted(manifest, monkeypatch):
    pytest.importorskip("sacrebleu", reason="needs the extra `score`")
    load(monkeypatch, Loaded())
    shown = live(manifest, "--computation-aware")
    assert results(manifest)["complete"]["laal"]["value"] > 0.25
    assert "latency|clock:computation-aware" in shown.stdout


def test_what_is_complete_is_kept_when_the_next_setting_fails(manifest, monkeypatch):
    pytest.importorskip("sacrebleu", reason="needs the extra `score`")
    load(monkeypatch, Loaded(drafted=3))  # two openings to check both settings, and one clip
    with pytest.raises(ConfigError, match="no more"):
        live(manifest, "--policy", "complete,align_att")
    assert list(results(manifest)) == ["complete"]


def test_a_language_that_the_model_lacks_is_refused_first(manifest, monkeypatch):
    load(monkeypatch, Loaded(drafted=0))
    text = manifest.read_text("utf-8").replace('"fra"', '"deu"')
    manifest.write_text(text, "utf-8")
    with pytest.raises(LanguageError, match="German"):
        live(manifest)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to score"),
        (("--simulate",), "--simulate translates.*--to eng"),
        (("--policy", "complete"), "a policy is simulated.*--simulate"),
        (("--append",), "a policy is simulated"),
        (("--simulate", "--to", "eng", "--system", "complete=said.txt"), "two systems are called 'complete'"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(manifest, options, said):
    said_file = manifest.parent / "said.txt"
    said_file.write_text("u1 hello\n")
    with pytest.raises(ConfigError, match=said):
        run(manifest, *[one.replace("said.txt", str(said_file)) for one in options])


def test_the_segments_of_a_recording_name_one_file(manifest, monkeypatch):
    load(monkeypatch, Loaded())
    soundfile.write(manifest.parent / "b.wav", np.zeros(4000, np.float32), 16_000)
    line = {"duration": 0.1, "lang": "fra", "text": "bonjour", "translations": {"eng": "hello"}, "recording": "talk"}
    places = [{"id": f"u{n}", "audio": f"{name}.wav", "start": n / 10} for n, name in enumerate("ab")]
    written(manifest, *[line | place for place in places])
    with pytest.raises(DataError, match="segments of 'talk' name 2 audio files"):
        live(manifest)


def test_the_model_that_ships_is_scored_and_drawn(tmp_path):
    """From audio to report, in one clip."""
    pytest.importorskip("sacrebleu", reason="needs the extra `score`")
    clip = next(one for one in read_manifest(CLIPS) if one.language == "fra")
    english = {"eng": "I have a caller waiting, who describes themselves as"}
    manifest = written(
        tmp_path / "manifest.jsonl",
        {"id": "u", "audio": str(clip.audio), "duration": clip.duration_s, "lang": "fra", "text": clip.text,
         "translations": english},
    )  # fmt: skip
    page = tmp_path / "report.html"
    shown = live(manifest, "--policy", "align_att,complete", "--latency-ms", "800", "--append", "--html", page)
    early, whole = results(manifest)["align_att 800 ms"], results(manifest)["complete"]
    assert early["laal"]["value"] < whole["laal"]["value"]
    assert all(one["chrf"]["value"] > 10 for one in (early, whole))
    assert all(name in shown.stdout for name in ("BLEU", "chrF", "AL (s)", "LAAL (s)", "DAL (s)", "complete"))
    picture = re.search(r'<svg id="curve".*?</svg>', page.read_text("utf-8"), re.S)
    assert picture is not None
    assert "align_att 800 ms" in picture[0]


def test_a_recording_is_heard_as_a_whole_and_scored_by_segments(tmp_path, recognizer, monkeypatch):
    pytest.importorskip("sacrebleu", reason="needs the extra `score`")
    load(monkeypatch, recognizer)
    clips = [one for one in read_manifest(CLIPS) if one.language in ("fra", "spa")][:2]
    samples = [load_audio(one.audio) for one in clips]
    soundfile.write(tmp_path / "talk.wav", np.concatenate([samples[0], np.zeros(12_000), samples[1]]), 16_000)
    english = ["I have a caller waiting, who describes themselves as", "has joined the conference"]
    starts = [0.0, len(samples[0]) / 16_000 + 0.75]
    manifest = written(
        tmp_path / "manifest.jsonl",
        *(
            {"id": one.id, "audio": "talk.wav", "recording": "talk", "start": start, "duration": one.duration_s,
             "lang": one.language, "text": one.text, "translations": {"eng": text}}
            for one, start, text in zip(clips, starts, english, strict=True)
        ),
    )  # fmt: skip
    shown = live(manifest, "--policy", "align_att", "--append")
    rates = results(manifest)["align_att"]
    assert "yaal" not in rates
    assert 0.5 < rates["longyaal"]["value"] < 5.0
    assert rates["chrf"]["value"] > 25
    assert "LongYAAL (s)" in shown.stdout
