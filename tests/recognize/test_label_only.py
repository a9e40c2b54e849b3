"""A label decoder alone: what it is given, what it is not believed, and live sessions that say what files say."""

import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speech import Recognizer
from speech.choices import Live
from speech.decode.bias.phrases import Phrase
from speech.decode.endpoint import EndpointConfig, Reason
from speech.decode.label.search import LabelHypothesis
from speech.errors import ConfigError, LanguageError, SpeechError
from speech.events import Event, LanguageEvent, TranscriptEvent
from speech.models.translation_targets import TargetScore
from speech.nn.encoder.base import Halfway
from speech.recognize.context import Context
from speech.recognize.label_only import LabelReader, smoothed
from speech.recognize.offline import Cut, OfflineConfig
from speech.recognize.parts import Part
from speech.recognize.request import Request
from speech.recognize.toxicity_guard import ToxicityGuard
from speech.stream.session import StreamOptions
from speech.transcript import Toxicity, join
from speech.translate.toxicity import ToxicWords
from tests.tiny_whisper import literate_whisper, tiny_label_tokenizer

TOKENIZER = tiny_label_tokenizer()
END = TOKENIZER.end


class State(SimpleNamespace):
    """How many tokens there have been."""

    def select(self, rows):
        return self


class Scripted:
    """A label model that writes what it is told, token by token, one frame behind the other.

    Args:
        text: that it is sure of.
        silence: probability of no speech.
        sure: probability of each token.
        language: code -> logit.
    """

    device, dtype, frame_s, parameter_count = torch.device("cpu"), torch.float32, 0.02, 1
    max_frames, max_tokens, true_length, live = 1500, 60, False, Live.parts
    alignment_heads, suppressed, suppressed_first = ((0, 0),), (), ()

    def __init__(self, text="ab cd", *, silence=0.0, sure=0.9, language=None, endless=False):
        ids = TOKENIZER.encode(text)
        self.script = ids * 20 if endless else [*ids, END]
        self.silence, self.sure, self.language = silence, sure, language or {"deu": 5.0}
        self.heard = []

    def lower(self, samples, lengths, layers):
        self.heard.append(samples[0])
        return Halfway(torch.zeros(1, samples.shape[1] // 320, 1), lengths // 320, 0, layers)

    def upper(self, half):
        return half.x, half.lengths

    def begin(self, frames, lengths=None):
        return State(count=0, frames=frames.shape[1])

    def step(self, tokens, state, heads=()):
        count = tokens.shape[1]
        places = torch.arange(state.count, state.count + count).float()
        attention = torch.full((1, 1, count, state.frames), 1e-3)
        for row, place in enumerate(places.long().tolist()):
            said = max(place - 3, 0)  # behind the prompt
            attention[0, 0, row, 10 * said + 5 : 10 * said + 15] = 1.0
        x = places[None, :, None].expand(len(tokens), -1, -1)
        return x, State(count=state.count + count, frames=state.frames), attention

    def logits(self, x):
        logits = torch.full((*x.shape[:-1], 320), -20.0)
        flat, places = logits.view(-1, 320), x.reshape(-1).long().tolist()
        for row, place in zip(flat, places, strict=True):
            if place == 0:
                for code, value in self.language.items():
                    row[TOKENIZER.languages[code]] = value
                if self.silence:
                    others = row.exp().sum()
                    row[TOKENIZER.no_speech] = torch.log(others * self.silence / (1 - self.silence))
            elif place >= 3:
                row[self.script[min(place - 3, len(self.script) - 1)]] = float(np.log(self.sure))
                row[TOKENIZER.encode("z")[0]] = float(np.log(max(1 - self.sure, 1e-9)))
        return logits


def part(seconds=4.0, *, before=0.0, silent=False, reason=Reason.silence, samples=None) -> Part:
    count = round(seconds * 16_000)
    start = round(before * 16_000)
    heard = np.ones(count, np.float32) if samples is None else samples
    return Part(0, heard, start, count, count, True, silent, count, reason)


def text(reader: LabelReader, segment: Part, request: Request = Request()) -> str:  # noqa: B008
    return join(reader.words(reader.read([segment], [request])[0], request))


# What it is given


def test_a_published_model_hears_thirty_seconds_and_one_for_true_length_what_there_is():
    model = Scripted()
    LabelReader(model, TOKENIZER).read([part()], [Request()])
    assert [len(heard) for heard in model.heard] == [480_000]
    assert not model.heard[0][64_000:].any()
    model.true_length = True
    LabelReader(model, TOKENIZER).read([part()], [Request()])
    assert len(model.heard[1]) == 64_000 + 3200


def test_a_part_is_listened_to_once_for_all_that_is_asked_of_it():
    model = Scripted()
    segment = part()
    heard = LabelReader(model, TOKENIZER).read([segment, segment], [Request(), Request(to="eng")])
    assert len(model.heard) == 1
    assert len(heard) == 2


def test_silence_is_not_read():
    model = Scripted()
    found = LabelReader(model, TOKENIZER).read([part(silent=True), part(0.0)], [Request(), Request()])
    assert not model.heard
    assert all(heard.frames == 0 and not heard.written for heard in found)


def test_what_is_longer_than_it_hears_at_once_is_refused():
    with pytest.raises(ConfigError, match=r"a part of 31\.0 s; the model hears 30 s at once\. Lower max_s"):
        LabelReader(Scripted(), TOKENIZER).read([part(31.0)], [Request()])


# What it writes


def test_words_have_times_confidences_and_the_language():
    reader = LabelReader(Scripted("ab cd", sure=0.9), TOKENIZER)
    heard = reader.read([part()], [Request()])[0]
    words = reader.words(heard, Request())
    assert [word.text for word in words] == ["ab", "cd"]
    assert [word.language for word in words] == ["deu", "deu"]
    assert [word.confidence for word in words] == pytest.approx([0.9, 0.9], abs=0.02)
    assert 0 <= words[0].start_s < words[0].end_s <= words[1].start_s < words[1].end_s <= 4.0
    assert reader.language(heard.evidence, heard.frames, Request()) == ("deu", pytest.approx(1.0, abs=0.01))


def test_the_language_is_one_of_those_that_are_asked_for():
    reader = LabelReader(Scripted(language={"deu": 5.0, "spa": 4.0, "eng": 1.0}), TOKENIZER)
    for languages, expected in (((), "deu"), (("spa", "eng"), "spa"), (("eng",), "eng")):
        heard = reader.read([part()], [Request(languages)])[0]
        assert heard.language == expected
        assert reader.language(heard.evidence, heard.frames, Request(languages))[0] == expected


def test_plain_is_without_capitals_and_signs():
    reader = LabelReader(Scripted("Ab, cd."), TOKENIZER)
    assert text(reader, part()) == "Ab, cd."
    assert text(reader, part(), Request(plain=True)) == "ab cd"


def test_nothing_is_said_where_silence_is_likely_and_the_text_is_not():
    said = {
        (silence, sure): text(LabelReader(Scripted("zzz", silence=silence, sure=sure), TOKENIZER), part())
        for silence in (0.1, 0.9)
        for sure in (0.99, 0.5)
    }
    assert all(said.values())
    model = Scripted("ab", silence=0.9, sure=0.2)
    model.logits = lambda x, own=model.logits: torch.where(own(x) < -10, -0.5, own(x))  # anything may be meant
    assert text(LabelReader(model, TOKENIZER), part()) == ""
    model.silence = 0.0
    assert text(LabelReader(model, TOKENIZER, beam=1), part()) != ""


class Told:
    """A search that finds one text where it is told what was said before, and another where it is not."""

    def __init__(self, told, alone="ef", score=-0.1, ended=True):
        self.told, self.alone, self.score, self.ended = told, alone, score, ended
        self.prompts = []

    def __call__(self, part, prompt, most):
        self.prompts.append(list(prompt))
        told = prompt[0] == TOKENIZER.previous
        ids = tuple(TOKENIZER.encode(self.told if told else self.alone))
        return [LabelHypothesis(ids, (self.score if told else -0.1) * (len(ids) + 1), self.ended or not told)]


BEFORE = Context("deu", ("ab", "cd", "ef."))


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (Told("gh"), "gh"), (Told("ab cd ef"), "ij"), (Told("gh", score=-1.1), "ij"), (Told("gh", ended=False), "ij"),
    ],
)  # fmt: skip
def test_what_is_told_before_a_part_is_not_copied_and_leads_nowhere(search, said):
    search.alone = "ij"
    reader = LabelReader(Scripted(), TOKENIZER, context_tokens=40)
    reader._full = reader._quick = search
    segment = replace(part(), before=BEFORE)
    assert text(reader, segment, Request(("deu",))) == said
    assert search.prompts[0][:-4] == [TOKENIZER.previous, *TOKENIZER.encode(" ab cd ef.")]
    assert len(search.prompts) == (1 if said == "gh" else 2)
    search.prompts.clear()
    for request in (Request(("eng",)), Request(("deu",), quick=True), Request(("deu",), "eng")):
        text(reader, segment, request)
    assert all(prompt[0] == TOKENIZER.start for prompt in search.prompts)
    for reading, expected in ((segment, f"ab cd ef. {said}"), (part(), "ij")):
        heard = reader.read([reading], [Request(("deu",))])[0]
        assert reader.following(reading, heard).text == expected
    assert LabelReader(Scripted(), TOKENIZER).following(segment, heard) is None


def test_of_a_text_that_repeats_itself_the_first_run_is_left():
    assert text(LabelReader(Scripted("abcd ", endless=True, sure=0.999), TOKENIZER), part()) == "abcd"


def test_words_beyond_the_cuts_belong_to_other_parts():
    reader = LabelReader(Scripted("a b c d"), TOKENIZER)
    assert text(reader, part()) == "a b c d"
    cut = replace(part(), keep_start=320 * 30)
    assert text(reader, cut) == "c d"  # each token is heard for ten frames
    assert text(reader, replace(cut, rested=True)) == "a b c d"
    assert text(reader, replace(part(), keep_end=320 * 40)) == "a b"


def test_attention_is_standardised_smoothed_and_the_mean_over_heads():
    attention = torch.zeros(2, 3, 20)
    for row in range(3):
        attention[:, row, 5 * row : 5 * row + 5] = 1.0
    found = smoothed(attention)
    assert found.shape == (3, 20)
    assert [int(row.argmax()) // 5 for row in found] == [0, 1, 2]
    assert smoothed(attention[:, :, :2]).shape == (3, 2)
    assert torch.isfinite(smoothed(torch.zeros(1, 1, 9))).all()


# What it refuses


@pytest.mark.parametrize(
    ("request_", "error", "what"),
    [
        (Request(("fra",)), LanguageError, "the model does not know 'fra'.*It knows eng, deu, spa"),
        (Request(to="deu"), LanguageError, "does not translate into German"),
        (Request(phrases=(Phrase("ab"),)), ConfigError, "phrases: this model has no CTC. Use a CTC or hybrid model"),
    ],
)
def test_what_it_cannot_do_is_said_before_it_is_tried(request_, error, what):
    with pytest.raises(error, match=what):
        LabelReader(Scripted(), TOKENIZER).check(request_)


def test_english_is_written_where_it_has_been_measured_or_nobody_asks_for_that():
    measured = {"eng": TargetScore(chrf=40.0, source_chrf=20.0, utterances=30, sources=("deu",), data="made up")}
    for targets, into in ((None, ("eng",)), (measured, ("eng",)), ({}, ())):
        reader = LabelReader(Scripted(), TOKENIZER, targets)
        assert reader.into == into
        if into:
            reader.check(Request(to="eng"))
            assert {
                word.language for word in reader.words(reader.read([part()], [Request()])[0], Request(to="eng"))
            } == {"eng"}
        else:
            with pytest.raises(LanguageError, match="It translates into no language"):
                reader.check(Request(to="eng"))


def test_adapters_belong_to_ctc():
    reader = LabelReader(Scripted(), TOKENIZER)
    reader.adapters = None
    with pytest.raises(ConfigError, match="adapters: this model has no CTC"):
        reader.adapters = object()


# Files and live sessions


@pytest.fixture(scope="module")
def whisper(whisper_checkpoint) -> Recognizer:
    return Recognizer.from_pretrained(str(whisper_checkpoint), precision="float32")


@pytest.fixture(scope="module")
def audio(speech) -> np.ndarray:
    return np.concatenate([speech, np.zeros(9600, np.float32), speech[:40_000], np.zeros(9600, np.float32)])


def transcripts(events: list[Event], *, final: bool) -> list[TranscriptEvent]:
    return [event for event in events if isinstance(event, TranscriptEvent) and event.is_final is final]


def play(whisper: Recognizer, audio: np.ndarray, sizes: list[int], options: StreamOptions) -> list[Event]:
    session = whisper.engine().open(options)
    events, start = [], 0
    for size in sizes:
        events += session.accept(audio[start : start + size])
        start += size
    return events + session.accept(audio[start:]) + session.finish()


def test_the_recognizer_says_what_it_is(whisper, whisper_checkpoint):
    assert (whisper.live, whisper.languages, whisper.targets) == ("parts", ("eng", "deu", "spa"), ())
    assert whisper.frame_s == 0.02
    assert whisper.parameter_count == sum(p.numel() for p in literate_whisper().parameters())
    assert re.fullmatch("[0-9a-f]{64}", whisper.fingerprint)
    assert whisper.adapters is None
    for ask in (lambda: whisper.model, lambda: whisper.tokenizer, lambda: whisper.align(np.zeros(9, np.float32), "a")):
        with pytest.raises(ConfigError, match="this model has no CTC"):
            ask()
    with pytest.raises(ConfigError, match="windows: this model has no CTC"):
        Recognizer.from_pretrained(str(whisper_checkpoint), config=OfflineConfig(cut=Cut.windows))


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 30_000), max_size=8), interim=st.booleans())
def test_live_finals_are_the_text_of_the_file_whatever_the_pieces(whisper, audio, sizes, interim):
    said = whisper.transcribe(audio)
    events = play(whisper, audio, sizes, StreamOptions(interim=interim))
    words = [word for event in transcripts(events, final=True) for word in event.words]
    assert said.words
    assert words == list(said.words)


def test_partials_come_at_most_every_second_and_only_where_they_are_wanted(whisper, audio):
    sizes = [1600] * (len(audio) // 1600)
    read = []
    own = whisper._second_pass.read
    whisper._second_pass.read = lambda parts, requests: read.append((parts, requests)) or own(parts, requests)
    try:
        events = play(whisper, audio, sizes, StreamOptions())
        again = [parts[0] for parts, requests in read if requests[0].quick]
        partial_s = [segment.end_sample / 16_000 for segment in again]
        assert len(partial_s) >= 6
        assert all(later - before >= 0.99 for before, later in pairwise(partial_s))
        assert next(event for event in events if isinstance(event, LanguageEvent)).previous is None
        read.clear()
        assert not transcripts(play(whisper, audio, sizes, StreamOptions(interim=False)), final=False)
        assert not [requests for _, requests in read if requests[0].quick]
    finally:
        del whisper._second_pass.read


def test_a_part_is_never_longer_than_it_hears_whatever_the_rules(whisper, speech):
    rules = EndpointConfig().limited(None, 40.0)
    long = np.concatenate([speech] * 5)
    recognizer = Recognizer.of_parts(whisper._second_pass, OfflineConfig(endpoint=rules))
    parts = list(recognizer._reader.parts([long]))
    assert len(long) > 30 * 16_000
    assert max(len(segment.samples) for segment in parts) <= 29 * 16_000
    assert recognizer.transcribe(long).text == join(
        [w for e in transcripts(play(whisper, long, [], StreamOptions(endpoint=rules)), final=True) for w in e.words]
    )


def test_an_update_changes_what_follows(whisper, audio):
    session = whisper.engine().open(StreamOptions(languages=("deu",)))
    session.accept(audio[:60_000])
    with pytest.raises(SpeechError, match="'fra'"):
        session.update(StreamOptions(languages=("fra",)))
    session.update(StreamOptions(languages=("spa",), interim=False))
    events = session.accept(audio[60_000:]) + session.finish()
    assert {word.language for event in transcripts(events, final=True) for word in event.words} == {"spa"}
    assert not transcripts(events, final=False)


def test_a_guard_reads_translations_again_and_leaves_transcripts_alone():
    request, segment = Request(("deu",), to="eng"), part()
    model = Scripted("Ab cd.", sure=0.9)  # next to each letter z is possible
    for words, languages, expected in (
        (["cd"], {}, r"Ab (?!cd)[a-z]+\."), (["xy"], {}, r"Ab cd\."), (["cd"], {"deu": ["ab"]}, r"Ab cd\."),
    ):  # fmt: skip
        guard = ToxicityGuard(ToxicWords({"eng": words, **languages}), TOKENIZER)
        reader = LabelReader(model, TOKENIZER, guard=guard)
        assert re.fullmatch(expected, text(reader, segment, request))
        assert text(reader, segment) == "Ab cd."
        said = reader.read([segment, segment], [request, Request()])
        removed = Toxicity(("cd",), removed=True) if "cd" not in text(reader, segment, request) else None
        assert [one.toxicity for one in said] == [removed, None]
