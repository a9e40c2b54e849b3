"""The model that ships: it reads real clips, says the same in any company, and the same live as trained for live."""

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch

from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.chunking import ChunkSpec
from speech.data.manifest import Utterance, read_manifest
from speech.decode.bias.phrases import Phrase
from speech.events import Event, TranscriptEvent
from speech.metrics.edit.alignment import ErrorCounts
from speech.metrics.edit.error_rate import text_errors
from speech.models.hub import EMBEDDED, locate
from speech.models.precision import Precision
from speech.stream.session import StreamOptions
from tests.conftest import CORPUS

CLIPS = Path(str(files("speech") / "assets" / "clips" / "clips.jsonl"))


@pytest.fixture(scope="module")
def clips() -> list[Utterance]:
    return read_manifest(CLIPS)


def test_it_is_small_and_says_where_it_comes_from():
    folder = locate(EMBEDDED)
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert sum(sizes) < 120e6
    assert max(sizes) < 60e6
    card = (folder / "README.md").read_text("utf-8")
    for word in ("CC-BY-SA-3.0", "learning curve", "hours", "whisper-base"):
        assert word in card
    assert "Whisper-base" in (folder / "label" / "README.md").read_text("utf-8")
    parts = [json.loads((folder / f"training_{n}.json").read_text("utf-8"))["config"]["name"] for n in (1, 2, 3, 4)]
    assert parts == ["foundation", "foundation_continued", "foundation_finish", "foundation_whole"]
    assert len((folder / "metrics.jsonl").read_text("utf-8").splitlines()) > 100
    assert (folder / "learning_curve.png").is_file()


def test_it_reads_the_shipped_clips_and_knows_their_languages(recognizer, clips):
    errors, hits = ErrorCounts(), 0
    for clip in clips:
        result = recognizer.transcribe(clip.audio)
        errors += text_errors(clip.text, result.text, clip.languages).words
        hits += result.language == clip.language
        assert all(0 <= a.start_s <= a.end_s <= clip.duration_s + 0.1 for a in result.words)
    assert errors.reference_length == 75
    assert errors.rate <= 0.25  # a few more than it makes are left to the rounding of other processors
    assert hits == len(clips) == 8


def test_phrases_help_with_rare_words_in_files_and_live(recognizer):
    folder = CORPUS / "asterisk_core_sounds" / "audio"
    for clip, language, word, others in (
        ("fra/ast_fr_followme-status.ogg", "fra", "désirez", ["chiamata", "Parma"]),
        ("fra/ast_fr_digits-day-0.ogg", "fra", "dimanche", ["lundi", "mardi"]),
    ):
        samples = load_audio(folder / clip)
        phrases = tuple(Phrase(text) for text in [word, *others])
        assert word not in recognizer.transcribe(samples, language=language).text
        text = recognizer.transcribe(samples, language=language, phrases=phrases).text
        assert word in text
        session = recognizer.engine().open(StreamOptions(languages=(language,), phrases=phrases))
        events = [event for start in range(0, len(samples), 5000) for event in session.accept(samples[start:][:5000])]
        shown = [event for event in [*events, *session.finish()] if isinstance(event, TranscriptEvent)]
        assert " ".join(event.text for event in shown if event.is_final) == text
        session = recognizer.engine().open(StreamOptions(languages=(language,)))
        session.accept(samples[:5000])
        session.update(StreamOptions(languages=(language,), phrases=phrases))
        finals = [event.text for event in [*session.accept(samples[5000:]), *session.finish()] if is_final(event)]
        assert " ".join(finals) == text


def is_final(event: Event) -> bool:
    return isinstance(event, TranscriptEvent) and event.is_final


def test_a_graph_says_only_what_it_allows(tmp_path):
    days = "dimanche lundi mardi mercredi jeudi vendredi samedi".split()
    (tmp_path / "days.txt").write_text("\n".join(days), "utf-8")
    bound = Recognizer.from_pretrained(graph=tmp_path / "days.txt")
    for number in (0, 1, 2, 4, 5):
        clip = CORPUS / "asterisk_core_sounds" / "audio" / "fra" / f"ast_fr_digits-day-{number}.ogg"
        assert bound.transcribe(clip, language="fra").text == days[number]


def test_the_text_does_not_depend_on_batch_mates_or_threads(recognizer, clips):
    paths = [clip.audio for clip in clips]
    threads = torch.get_num_threads()
    together = [result.text for _, result in recognizer.transcribe_files(paths)]
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            assert [recognizer.transcribe(path).text for path in paths] == together
            assert [result.text for _, result in recognizer.transcribe_files(paths[::-1])] == together[::-1]
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("size", [16, 32])
def test_live_steps_say_what_the_whole_clip_says_under_the_same_chunks(clips, size):
    recognizer = Recognizer.from_pretrained(precision=Precision.float32)  # eight bits make other roundings visible
    model, vocabulary = recognizer.model, recognizer.tokenizer.vocabulary
    chunk = ChunkSpec(size=size, left_context=256)
    samples = torch.from_numpy(load_audio(clips[0].audio))[None]
    features, lengths = model.features(samples, torch.tensor([samples.shape[1]]))
    prefix = torch.tensor([[vocabulary.nolang, vocabulary.task_id("asr")]])
    with torch.inference_mode():
        whole = model(features, lengths, prefix, chunk).log_probs
        state = model.init_state(prefix, chunk)
        pieces = []
        for piece in np.array_split(np.arange(features.shape[1]), 11):
            log_probs, _, state = model.step(features[:, piece], state, chunk)
            pieces.append(log_probs)
        pieces.append(model.finish(state, chunk)[0])
    live = torch.cat(pieces, dim=1)
    assert torch.equal(live.argmax(-1), whole[:, : live.shape[1]].argmax(-1))


def test_no_word_is_aligned_to_the_silence_before_the_speech(recognizer, clips):
    clip = next(clip for clip in clips if clip.language == "eng")
    samples = load_audio(clip.audio)
    plain = recognizer.align(samples, clip.text, language="eng")
    later = recognizer.align(np.concatenate([np.zeros(80_000, np.float32), samples]), clip.text, language="eng")
    assert [word.text for word in later.words] == [word.text for word in plain.words]
    assert all(abs(a.start_s + 5.0 - b.start_s) < 0.35 for a, b in zip(plain.words, later.words, strict=True))
