"""A hybrid through the public class and live: the same words, whatever the pieces, the batch and the order."""

import json
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.decode.label.joint import JointConfig
from speech.errors import LanguageError, ModelError
from speech.events import TranscriptEvent, TranslationEvent
from speech.models.translation_targets import TargetScore, write_targets
from speech.nn.adapters import Adapter, AdapterBank
from speech.recognize.label_part import LabelPart
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.request import Request
from speech.stream.options import StreamOptions, TranslationOptions
from speech.stream.readings import DirectReadings
from speech.stream.virtual_clock import run_session
from speech.text.normalize import plain_text
from speech.translate.wait_k import WaitK
from tests.conftest import CLIPS, read_manifest
from tests.tiny_hybrid import WRITTEN, save_tiny_hybrid


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("hybrids") / "tiny"
    save_tiny_hybrid(path, JointConfig(learnt=["eng"]))
    return path


def loaded(folder, **options) -> Recognizer:
    return Recognizer.from_pretrained(str(folder), measured_targets=False, **options)


@pytest.fixture(scope="module")
def recognizer(folder):
    return loaded(folder)


@pytest.fixture(scope="module")
def audio():
    """Three clips with pauses between them, the last without any behind."""
    clips = [load_audio(clip.audio) for clip in read_manifest(CLIPS, check_files=True)[:3]]
    pause = np.zeros(12_000, np.float32)
    return np.concatenate([clips[0], pause, clips[1], pause, clips[2]])


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A recogniser whose decoder is told what was said before, however unsure it was."""
    path = tmp_path_factory.mktemp("told") / "tiny"
    save_tiny_hybrid(path, JointConfig(learnt=["eng"], context_tokens=40, context_sure=-100.0, unheard=-1000.0))
    return loaded(path)


@contextmanager
def prompts(recognizer):
    """Texts that its decoder is told meanwhile; None: it reads a part without."""
    tokenizer, found = recognizer._second_pass.label.tokenizer, []
    usual = tokenizer.prompt

    def prompt(language, *, target=None, before=()):
        found.append(tokenizer.decode(before) if before else None)
        return usual(language, target=target, before=before)

    tokenizer.prompt = prompt
    try:
        yield found
    finally:
        del tokenizer.prompt


def live(recognizer, samples, bounds, **options):
    """Words of the finals, and of the last translation."""
    session = recognizer.engine().open(StreamOptions(**options))
    events = [event for piece in np.split(samples, bounds) for event in session.accept(piece)]
    events += session.finish()
    finals = [event for event in events if isinstance(event, TranscriptEvent) and event.is_final]
    translated = [event.text for event in events if isinstance(event, TranslationEvent) and event.is_final]
    return tuple(word for event in finals for word in event.words), translated


@settings(max_examples=6)
@given(data=st.data(), languages=st.sampled_from(["auto", "eng", "spa", "gla", "deu,spa"]))
def test_live_finals_are_the_words_of_the_file(recognizer, audio, data, languages):
    bounds = sorted(data.draw(st.lists(st.integers(0, len(audio)), max_size=30)))
    whole = recognizer.transcribe(audio, language=languages)
    named = () if languages == "auto" else tuple(languages.split(","))
    words, _ = live(recognizer, audio, bounds, languages=named)
    assert words == whole.words
    assert len(words) >= 3


@pytest.fixture(scope="module")
def sharing(tmp_path_factory):
    """A recogniser whose halves share a layer."""
    path = tmp_path_factory.mktemp("sharing") / "tiny"
    save_tiny_hybrid(path, JointConfig(learnt=["eng"]), shared_layers=1)
    return loaded(path)


@settings(max_examples=4)
@given(data=st.data(), languages=st.sampled_from(["auto", "eng", "gla"]))
def test_with_layers_that_both_halves_share_live_finals_are_the_words_of_the_file(sharing, audio, data, languages):
    bounds = sorted(data.draw(st.lists(st.integers(0, len(audio)), max_size=30)))
    whole = sharing.transcribe(audio, language=languages)
    named = () if languages == "auto" else tuple(languages.split(","))
    assert live(sharing, audio, bounds, languages=named)[0] == whole.words
    assert len(whole.words) >= 3


def test_layers_that_both_halves_share_are_computed_once(sharing, audio, monkeypatch):
    reader, calls = sharing._second_pass, []
    assert reader.label.shared_layers == 1
    model, label = type(reader.model), type(reader.label.model)
    for name, owner in (("encode", model), ("behind", model), ("lower", label)):
        usual = getattr(owner, name)

        def counted(self, *args, usual=usual, name=name, **kwargs):
            calls.append(name)
            return usual(self, *args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    assert sharing.transcribe(audio, language="eng").words
    assert set(calls) == {"behind", "lower"}
    assert calls.count("behind") == calls.count("lower")
    monkeypatch.setattr(reader.label, "shared_layers", 0)
    calls.clear()
    assert sharing.transcribe(audio, language="eng").words
    assert set(calls) == {"encode", "lower"}


@settings(max_examples=6)
@given(data=st.data(), languages=st.sampled_from(["auto", "eng", "spa", "gla", "deu,spa"]))
def test_with_what_was_said_before_live_finals_are_the_words_of_the_file(told, audio, data, languages):
    bounds = sorted(data.draw(st.lists(st.integers(0, len(audio)), max_size=30)))
    whole = told.transcribe(audio, language=languages)
    named = () if languages == "auto" else tuple(languages.split(","))
    assert live(told, audio, bounds, languages=named)[0] == whole.words


def test_a_part_is_told_what_the_parts_before_have_said(told, recognizer, audio):
    with prompts(told) as found:
        words = told.transcribe(audio, language="spa").words
    texts = [text for text in found if text is not None]
    assert texts
    said = "".join(word.text for word in words)
    assert all(text.replace(" ", "") in said for text in texts)
    assert words != recognizer.transcribe(audio, language="spa").words
    with prompts(told) as found:
        told.transcribe(audio, language="deu", to="eng")
        told.transcribe(audio, language="gla")
    assert not any(found)


def test_parts_that_are_read_while_their_pause_goes_on_are_told_it_too(told, audio):
    """As a server does it."""
    engine, ahead = told.engine(), 0
    session, queue = (
        engine.open(StreamOptions(languages=("spa",))),
        DirectReadings(told._second_pass.read, 6.0, ahead=True),
    )
    with prompts(told) as found:
        for piece in np.split(audio, range(1600, len(audio), 1600)):
            session.push(piece)
            session.begin()
            ahead += session.session.expected_part() is not None
            while engine.turn([session], queue):
                pass
        events = session.drain() + session.finish()
    words = [w for e in events if isinstance(e, TranscriptEvent) and e.is_final for w in e.words]
    assert words == list(told.transcribe(audio, language="spa").words)
    assert any(found)
    assert ahead


def test_what_was_said_in_one_file_is_not_told_in_another(told, audio, tmp_path):
    quarter, paths = len(audio) // 4, []
    for n, samples in enumerate([audio, audio[quarter:], audio[: 3 * quarter], audio[2 * quarter :]]):
        paths.append(tmp_path / f"{n}.wav")
        soundfile.write(paths[-1], samples, 16_000, subtype="FLOAT")
    alone = [told.transcribe(path, language="spa") for path in paths]
    for order in (paths, paths[::-1]):
        found = dict(told.transcribe_files(order, Request(("spa",))))
        assert [found[str(path)].words for path in paths] == [one.words for one in alone]


def test_each_segment_says_something_and_none_what_the_next_says(recognizer, audio):
    for language in ("eng", "spa"):
        words = recognizer.transcribe(audio, language=language).words
        starts = [word.start_s for word in words]
        assert starts == sorted(starts)
        bounds = [segment.first_sample / 16_000 for segment in recognizer._reader.parts([audio])]
        assert len(bounds) == 3
        for begin, end in zip(bounds, [*bounds[1:], 99.0], strict=True):
            assert any(begin <= start < end for start in starts)


def test_live_translations_are_those_of_the_file(recognizer, audio):
    whole = recognizer.transcribe(audio, language="deu", to="eng")
    _, translated = live(recognizer, audio, [50_000, 51_000, 90_000], languages=("deu",), targets=("eng",))
    assert " ".join(translated) == whole.text
    assert {word.language for word in whole.words} == {"eng"}
    assert (whole.language, whole.task) == ("deu", "st_eng")
    assert whole.words != recognizer.transcribe(audio, language="deu").words


def test_silence_is_not_written(recognizer):
    for samples in (np.zeros(48_000, np.float32), np.zeros(10, np.float32)):
        for to in (None, "eng"):
            found = recognizer.transcribe(samples, to=to)
            assert (found.text, found.words, found.language) == ("", (), "und")
        assert live(recognizer, samples, [4000], targets=("eng",)) == ((), [])


def test_what_ctc_hears_nothing_of_is_not_written(folder, audio):
    deaf = loaded(folder)
    deaf.model.ctc.linear._bias[0] += 1e4
    assert deaf.transcribe(audio, language="eng").words == ()
    assert deaf.transcribe(audio, language="deu", to="eng").words == ()
    assert live(deaf, audio, [30_000], languages=("eng",)) == ((), [])


def test_quick_is_what_ctc_writes_alone(recognizer, audio):
    alone = Recognizer(recognizer.model, recognizer.tokenizer)
    for languages in ((), ("eng",), ("eng", "deu")):
        quick = recognizer._read([[audio]], Request(languages, quick=True))[0]
        assert quick == alone.transcribe(audio, language=",".join(languages) or "auto")
        assert quick.text != recognizer.transcribe(audio, language=",".join(languages) or "auto").text


def test_plain_is_without_capitals_and_signs(recognizer, audio):
    for languages in ((), ("eng",), ("gla",)):
        full, plain = (recognizer._read([[audio]], Request(languages, plain=plain))[0] for plain in (False, True))
        assert plain.text == plain_text(full.text)
    assert full.text
    full, plain = (recognizer._read([[audio]], Request(("eng",), plain=plain))[0] for plain in (False, True))
    assert full.text != plain.text


def test_languages_of_one_half_alone_are_written_by_it(recognizer, audio):
    alone = Recognizer(recognizer.model, recognizer.tokenizer)
    gaelic = recognizer.transcribe(audio, language="gla")
    assert gaelic == alone.transcribe(audio, language="gla")
    spanish = recognizer.transcribe(audio, language="Spanish")
    assert (spanish.language, spanish.language_probability) == ("spa", 1.0)
    assert {word.language for word in spanish.words} == {"spa"}
    assert set(spanish.text) <= set(WRITTEN)
    with pytest.raises(LanguageError):
        alone.transcribe(audio, language="spa")


@pytest.mark.parametrize(
    "options",
    [
        {"language": "fra"}, {"language": "eng,fra"}, {"to": "fra"}, {"language": "gla", "to": "eng"},
        {"language": "spa", "to": "deu"},
    ],
    ids=str,
)  # fmt: skip
def test_what_neither_half_knows_is_refused_in_files_and_live(recognizer, audio, options):
    with pytest.raises(LanguageError):
        recognizer.transcribe(audio, **options)
    codes = tuple(options.get("language", "").split(",")) if "language" in options else ()
    with pytest.raises(LanguageError):
        recognizer.engine().open(StreamOptions(languages=codes, targets=(options["to"],) if "to" in options else ()))


def test_ctc_hurries_only_where_it_knows_all_that_is_named(folder):
    recognizer = loaded(folder)
    assert recognizer.languages == ("deu", "eng", "gla")
    assert recognizer.known == ("deu", "eng", "gla", "spa")
    reader = recognizer._second_pass
    named = [(), ("deu",), ("deu", "eng"), ("spa",), ("deu", "spa")]
    assert [reader.hurries(Request(codes)) for codes in named] == [True, True, True, False, False]
    adapter = Adapter((1,), recognizer.model.config.encoder.dim, 4).requires_grad_(False)
    recognizer.adapters = AdapterBank({"spa": adapter})
    assert all(reader.hurries(Request(codes)) for codes in named)
    assert not Recognizer(recognizer.model, recognizer.tokenizer)._second_pass.hurries(Request())


@pytest.mark.parametrize("language", ["auto", "spa", "deu,spa"])
def test_a_language_that_only_the_decoder_knows_is_told_by_it(folder, audio, language, monkeypatch):
    """Here CTC has no say, and the decoder hears Spanish."""
    recognizer = loaded(folder)
    label = recognizer._second_pass.label
    label.config.ctc_language = 0.0
    monkeypatch.setattr(LabelPart, "languages", lambda part, tokenizer: {"eng": 0.1, "deu": 0.1, "spa": 0.8})
    found = recognizer.transcribe(audio, language=language)
    assert found.language == "spa"
    assert {word.language for word in found.words} == {"spa"}
    assert (found.language_probability == 1.0) == (language == "spa")
    assert found.language_probability > 0.5


def test_another_target_is_left_to_ctc(recognizer, audio):
    alone = Recognizer(recognizer.model, recognizer.tokenizer)
    assert recognizer.transcribe(audio, language="eng", to="deu") == alone.transcribe(audio, language="eng", to="deu")


def test_files_that_are_cut_into_windows_are_written_by_ctc_alone(folder, audio):
    recognizer = loaded(folder, config=OfflineConfig(cut=Cut.windows))
    alone = Recognizer(recognizer.model, recognizer.tokenizer, OfflineConfig(cut=Cut.windows))
    assert recognizer.transcribe(audio, language="eng") == alone.transcribe(audio, language="eng")
    for options in ({"to": "eng"}, {"language": "spa"}):
        with pytest.raises(LanguageError):
            recognizer.transcribe(audio, **options)


def test_neither_order_nor_company_change_what_a_file_says(folder, recognizer, audio, tmp_path, monkeypatch):
    paths = []
    for number, length in enumerate((20_000, 60_000, len(audio), 33_000)):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], audio[:length], 16_000, subtype="FLOAT")
    expected = {str(path): recognizer.transcribe(path) for path in paths}
    assert dict(recognizer.transcribe_files(paths)) == expected
    assert dict(recognizer.transcribe_files(paths[::-1])) == expected
    monkeypatch.setattr("speech.recognizer._GROUP_S", 3.0)
    assert dict(recognizer.transcribe_files(paths)) == expected
    assert any(found.words for found in expected.values())
    again = loaded(folder)
    assert again.transcribe(audio) == expected[str(paths[2])]


def test_sessions_say_what_they_say_alone(recognizer, audio):
    options = [StreamOptions(languages=codes) for codes in (("eng",), ("spa",), (), ("gla",))]
    engine = recognizer.engine()
    sessions = [engine.open(one) for one in options]
    for start in range(0, len(audio), 16_000):
        for session in sessions:
            session.push(audio[start : start + 16_000])
        engine.run(sessions)
    for session in sessions:
        session.push_finish()
    engine.run(sessions)
    for session, one in zip(sessions, options, strict=True):
        finals = [event for event in session.drain() if isinstance(event, TranscriptEvent) and event.is_final]
        assert (
            tuple(word for event in finals for word in event.words)
            == live(recognizer, audio, [], languages=one.languages)[0]
        )


def test_adapters_with_letters_of_their_own_work_beside_it(folder, audio):
    recognizer = loaded(folder)
    plain = recognizer.transcribe(audio, language="eng")
    adapter = Adapter((1,), recognizer.model.config.encoder.dim, 4, ("ა", "ǂ"))
    with torch.no_grad():
        adapter.rows.normal_(std=3.0)
        adapter.rows_bias.fill_(1.0)
    recognizer.adapters = AdapterBank({code: adapter.requires_grad_(False) for code in ("kat", "deu")})
    assert recognizer.transcribe(audio, language="eng") == plain
    georgian = recognizer.transcribe(audio, language="kat")
    assert set(georgian.text) & {"ა", "ǂ"}
    german = recognizer.transcribe(audio, language="deu")
    assert german.words
    assert set(german.text) <= set(WRITTEN)
    assert live(recognizer, audio, [40_000], languages=("deu",))[0] == german.words
    assert live(recognizer, audio, [40_000], languages=("kat",))[0] == georgian.words


def test_the_weight_of_ctc_counts_in_languages_that_it_has_learnt_and_no_others(folder, audio, tmp_path):
    found = {}
    for weight, learnt in ((0.0, ("eng",)), (100.0, ("eng",)), (100.0, ())):
        path = tmp_path / f"{weight}{len(learnt)}"
        save_tiny_hybrid(path, JointConfig(learnt=list(learnt), ctc_weight=weight))
        found[weight, learnt] = loaded(path).transcribe(audio, language="eng").text
    assert found[0.0, ("eng",)] == found[100.0, ()]
    assert found[100.0, ("eng",)] not in ("", found[100.0, ()])


def test_it_translates_into_the_languages_that_its_label_decoder_was_trained_for(folder, tmp_path, audio):
    several = tmp_path / "several"
    shutil.copytree(folder, several)
    record = json.loads((several / "label" / "config.json").read_text("utf-8"))
    record["model"]["st_targets"] = ["eng", "spa"]
    (several / "label" / "config.json").write_text(json.dumps(record), "utf-8")
    plain = tmp_path / "plain"
    shutil.copytree(folder, plain)
    for path in (plain, several):
        write_targets(path, {"spa": TargetScore(40.0, 20.0, 30, ("deu",), "test.jsonl")})
    with pytest.raises(ModelError, match=r"translates: .*the model has no token for it"):
        Recognizer.from_pretrained(str(plain))
    recognizer = Recognizer.from_pretrained(str(several))
    assert recognizer.targets == ("spa",)
    tokenizer, asked = recognizer._second_pass.label.tokenizer, []
    usual = tokenizer.prompt

    def prompt(language, **options):
        asked.append(options.get("target"))
        return usual(language, **options)

    tokenizer.prompt = prompt
    recognizer.transcribe(audio[:32_000], language="deu", to="spa")
    assert set(asked) == {"spa"}
    asked.clear()
    translation = TranslationOptions(policy=WaitK(k=1))
    options = StreamOptions(languages=("deu",), targets=("spa",), translation=translation)
    timed = run_session(recognizer.engine(), audio[:64_000], options)
    assert "spa" in asked
    assert {one.event.target for one in timed.events if isinstance(one.event, TranslationEvent)} == {"spa"}
