"""Events on the wire: whole milliseconds, no rounding away."""

import json
from dataclasses import replace

from speech.events import EndpointEvent, LanguageEvent, ScoreEvent, SpeechEvent, TranscriptEvent, TranslationEvent
from speech.transcript import Toxicity, Word

WORDS = (Word("hello", 0.1804, 0.42, 0.98765, "eng"), Word("monde", 0.5, 0.9, 0.5, "fra"))


def test_a_transcript_says_all_that_the_protocol_has():
    event = TranscriptEvent(
        segment=2, revision=5, is_final=True, text="hello monde", stable=2, words=WORDS, start_s=0.18, end_s=0.9,
        audio_s=1.28, reason="silence",
    )  # fmt: skip
    assert json.loads(json.dumps(event.to_dict())) == {
        "type": "transcript",
        "segment": 2,
        "rev": 5,
        "is_final": True,
        "text": "hello monde",
        "stable": 2,
        "start_ms": 180,
        "end_ms": 900,
        "words": [
            {"text": "hello", "start_ms": 180, "end_ms": 420, "conf": 0.9877, "lang": "eng"},
            {"text": "monde", "start_ms": 500, "end_ms": 900, "conf": 0.5, "lang": "fra"},
        ],
        "languages": [{"code": "eng", "share": 0.5}, {"code": "fra", "share": 0.5}],
        "audio_ms": 1280,
        "reason": "silence",
    }


def test_the_other_events():
    translation = TranslationEvent(
        segment=0,
        target="eng",
        is_final=False,
        text="a",
        stable=1,
        words=(Word("a", 0.0, 1.0, 0.5, "eng"),),
        start_s=0.0,
        end_s=1.0,
        audio_s=1.0,
    )
    assert translation.to_dict()["source"] == [0, 1000]
    assert [word["text"] for word in translation.to_dict()["words"]] == ["a"]
    assert "toxicity" not in translation.to_dict()
    guarded = replace(translation, toxicity=Toxicity(("pest",), removed=True))
    assert guarded.to_dict()["toxicity"] == {"found": ["pest"], "removed": True}
    language = LanguageEvent(at_s=1.5, previous=None, language="deu", confidence=0.7)
    assert language.to_dict() == {"type": "language", "at_ms": 1500, "from": None, "to": "deu", "conf": 0.7}
    assert SpeechEvent(started=False, at_s=0.032).to_dict() == {"type": "speech_ended", "at_ms": 32}
    endpoint = EndpointEvent(at_s=1.0, speech_end_s=0.9, decided_s=1.4, reason="silence")
    assert endpoint.to_dict() == {"type": "endpoint", "at_ms": 1000, "reason": "silence", "latency_ms": 500}


def test_a_score_has_rates_where_there_are_units():
    event = ScoreEvent(
        is_final=True, segment=None, at_s=1.5, counts={"wer": (1, 4), "pier": (0, 0)}, reference_units=4,
        reference_units_in_all=4, sentences=((0, 1, 4),), signature="normalizer:2", saer=0.25, distance=0.25,
        encoder="mine",
    )  # fmt: skip
    assert event.to_dict() == {
        "type": "score",
        "is_final": True,
        "segment": None,
        "at_ms": 1500,
        "so_far": {
            "wer": {"errors": 1, "units": 4, "rate": 0.25},
            "pier": {"errors": 0, "units": 0, "rate": None},
            "saer": 0.25,
            "distance": 0.25,
        },
        "reference": {"units": 4, "of": 4},
        "sentences": [{"sentence": 0, "errors": 1, "units": 4}],
        "encoder": "mine",
        "signature": "normalizer:2",
    }
    assert "no_saer" not in event.to_dict()
