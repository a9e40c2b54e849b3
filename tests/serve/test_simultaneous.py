"""Simultaneous translation through the real socket and command."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import Result
from typer.testing import CliRunner

from serve.client import ServerError, StreamClient
from speech.audio.input.pcm import to_pcm16
from speech.cli.commands import app
from speech.models.adapters.file import fingerprint
from speech.models.checkpoint import LabelCheckpoint, load_label_outline, save_label_checkpoint
from speech.models.policy_file import POLICY, PolicyFile, save_policy
from speech.models.translation_targets import TargetScore
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from speech.recognizer import Recognizer
from tests.serve.conftest import Running, finals, play, running
from tests.tiny_hybrid import latin_whisper
from tests.tiny_whisper import tiny_label_tokenizer

EARLY = {"policy": "align_att", "latency_ms": 300}


@pytest.fixture(scope="module")
def talk(speech: np.ndarray) -> bytes:
    """Enough speech without a pause for drafts, whole milliseconds."""
    return to_pcm16(speech[: len(speech) // 16 * 16])


def translations(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == "translation"]


def whole(recognizer: Recognizer, pcm: bytes) -> str:
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
    return recognizer.transcribe(samples, to="eng").text


def test_words_come_before_the_part_is_complete_and_the_final_is_that_of_a_file(server, recognizer, talk):
    events = translations(play(server, talk, piece=9_600, targets=["eng"], translation=EARLY))
    early = [event for event in events if not event["is_final"]]
    assert early
    assert all(event["text"] for event in early)
    assert {len(event["words"]) for event in early} != {0}
    finals = [event["text"] for event in events if event["is_final"] and event["text"]]
    assert " ".join(finals) == whole(recognizer, talk)


def test_a_client_that_wants_text_appended_gets_it_so(server, talk, said):
    heard = play(server, talk, targets=["eng"], translation={**EARLY, "append": True})
    assert finals(heard) == said  # the transcript is that of a file, whatever the translation has written
    events = translations(heard)
    assert len(events) > 2
    for before, after in pairwise(events):
        if before["segment"] == after["segment"]:
            assert after["text"].startswith(before["text"])
    for event in events:
        assert event["stable"] == len(event["words"])
        assert all(word["end_ms"] <= event["audio_ms"] for word in event["words"])


def test_messages_of_any_size_give_one_translation(server, talk):
    options = {"targets": ["eng"], "translation": {**EARLY, "append": True}}
    found = [
        [
            (event["segment"], event["text"], event["audio_ms"])
            for event in translations(play(server, talk, size, **options))
        ]
        for size in (3_200, 64_000, len(talk))
    ]
    assert found[0] == found[1] == found[2]


def test_a_server_that_is_late_leaves_out_drafts_and_says_how_many(recognizer, talk):
    with running(fallback_s=0.1) as hurried:
        events = translations(play(hurried, talk, len(talk), targets=["eng"], translation=EARLY))
    assert events[-1]["skipped"] > 0
    finals = [event["text"] for event in events if event["is_final"] and event["text"]]
    assert " ".join(finals) == whole(recognizer, talk)


def save_label(folder: Path) -> None:
    """A label model that offers translation; its weights are random."""
    score = TargetScore(40.0, 20.0, 30, ("fra",), "made up")
    label = LabelCheckpoint(latin_whisper(), tiny_label_tokenizer(), {}, {"eng": score})
    save_label_checkpoint(folder, label, card="")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of such a model."""
    folder = tmp_path_factory.mktemp("untrained") / "label"
    save_label(folder)
    with running(model=str(folder), precision="float32") as found:
        yield found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of such a model with a policy beside it; its weights are random."""
    folder = tmp_path_factory.mktemp("trained") / "label"
    save_label(folder)
    shape = load_label_outline(folder).config.decoder
    torch.manual_seed(3)
    network = PolicyNetwork(PolicyConfig(temperature=0.05, bias=0.0), shape.dim, shape.layers, shape.heads)
    save_policy(folder / POLICY, PolicyFile(network, fingerprint(folder), ""))
    with running(model=str(folder), precision="float32") as found:
        yield found


def test_a_trained_policy_writes_by_its_threshold_where_there_is_one(untrained: Running, trained: Running, talk):
    def play_by(threshold: float) -> list[dict[str, Any]]:
        rules = {"policy": "emma", "threshold": threshold, "append": True}
        events = play(trained, talk, targets=["eng"], translation=rules)
        assert "emma" in events[0]["policies"]
        return translations(events)

    def written(events: list[dict[str, Any]]) -> int:
        return sum(len(event["text"]) for event in events if not event["is_final"])

    eager, strict = play_by(0.001), play_by(0.999)
    assert written(eager) > written(strict)
    for before, after in pairwise(eager):
        assert before["segment"] != after["segment"] or after["text"].startswith(before["text"])
    assert "emma" not in play(untrained, talk[:3200])[0]["policies"]
    with pytest.raises(ServerError, match=r"no trained policy.*recipes/streaming_translation/train.py"):
        play(untrained, talk[:3200], targets=["eng"], translation={"policy": "emma"})


def test_the_embedded_model_has_one(server: Running, talk):
    events = play(server, talk, languages=["fra"], targets=["eng"], translation={"policy": "emma", "append": True})
    assert "emma" in events[0]["policies"]
    found = translations(events)
    assert any(event["text"] and not event["is_final"] for event in found)
    for before, after in pairwise(found):
        assert before["segment"] != after["segment"] or after["text"].startswith(before["text"])


def test_the_command_asks_for_a_trained_policy_by_name_and_threshold(untrained, trained, talk, tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.frombuffer(talk, "<i2"), 16_000)

    def run(there: Running) -> Result:
        command = ["stream", str(path), "--url", f"{there.ws}/v1/stream", "--pace", "0", "--to", "eng", "--jsonl"]
        return CliRunner().invoke(app, [*command, "--policy", "emma", "--threshold", "0.001", "--append"])

    events = [json.loads(line) for line in run(trained).stdout.splitlines()]
    rules = {"policy": "emma", "threshold": 0.001, "append": True}
    asked = translations(play(trained, talk, targets=["eng"], translation=rules))
    assert [event["text"] for event in translations(events)] == [event["text"] for event in asked]
    refused = run(untrained)
    assert refused.exit_code != 0
    assert "no trained policy" in str(refused.exception)


@pytest.mark.parametrize(
    ("translation", "said"),
    [
        ({"policy": "guess"}, "Invalid enum value 'guess'"),
        ({"policy": "wait_k", "latency_ms": 500}, "latency_ms is not an option of the policy wait_k"),
        ({"policy": "align_att", "n": 3}, "n is not an option of the policy align_att"),
        ({"policy": "align_att", "latency_ms": 5}, "Expected `int` >= 160"),
        ({"policy": "align_att", "threshold": 0.5}, "threshold is not an option of the policy align_att"),
        ({"policy": "emma", "threshold": 1.0}, "Expected `float` < 1.0"),
        ({"delay": 5}, "unknown field `delay`"),
    ],
)
def test_a_policy_that_is_none_is_refused(server: Running, translation, said):
    async def start() -> None:
        async with StreamClient(f"{server.ws}/v1/stream", targets=["eng"], translation=translation) as client:
            async for _ in client:
                pass

    with pytest.raises(ServerError, match=said):
        asyncio.run(start())


def test_the_command_shows_it(server: Running, talk, tmp_path: Path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.frombuffer(talk, "<i2"), 16_000)
    command = ["stream", str(path), "--url", f"{server.ws}/v1/stream", "--pace", "0", "--to", "eng"]
    policy = ["--policy", "align_att", "--latency-ms", "300", "--append"]
    run = CliRunner().invoke(app, [*command, *policy, "--jsonl"])
    assert run.exit_code == 0, run.output
    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert any(not event["is_final"] for event in translations(events))
    shown = CliRunner().invoke(app, [*command, *policy])
    assert shown.exit_code == 0, shown.output
    last = [event["text"] for event in translations(events) if event["is_final"] and event["text"]]
    assert all(" ".join(text.split()) in " ".join(shown.stdout.split()) for text in last)
