"""A server with lists of words that translations may not add: over the socket, over HTTP, and what it says of them."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from serve.command import make_server
from serve.config import ServeConfig
from speech import Recognizer
from speech.audio.input.pcm import to_pcm16
from speech.errors import ConfigError, DataError
from speech.text.normalize import plain_text
from tests.serve.conftest import Running, finals, play, running

LISTED = ("airplane", "phone call", "flashlight")
"""What the embedded model adds to the French clip: "un appelant" in a file, and under policies."""


def lists(folder: Path, **words: str) -> Path:
    folder.mkdir()
    for code, entries in words.items():
        (folder / f"{code}.txt").write_text(entries, "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lists(tmp_path_factory.mktemp("toxic") / "lists", eng="\n".join(LISTED))


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[Running]:
    with running(toxic_words=str(folder)) as found:
        yield found


@pytest.fixture(scope="module")
def talk(speech: np.ndarray) -> bytes:
    return to_pcm16(speech[: len(speech) // 16 * 16])


def translations(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event for event in events if event["type"] == "translation"]


def added(text: str) -> list[str]:
    return [entry for entry in LISTED if entry in text.lower()]


def test_parts_of_live_sessions_and_files_over_http_have_the_text_of_a_guarded_file(
    guarded, server, folder, talk, said
):
    samples = np.frombuffer(talk, "<i2").astype(np.float32) / 32768
    whole = Recognizer.from_pretrained(toxic_words=folder).transcribe(samples, to="eng")
    assert whole.toxicity is not None
    assert whole.toxicity.removed
    events = play(guarded, talk, targets=["eng"])
    texts = [event["text"] for event in translations(events) if event["is_final"] and event["text"]]
    assert " ".join(texts) == whole.text
    assert not added(whole.text)
    assert [event.get("toxicity") for event in translations(events)] == [None, whole.toxicity.to_dict()]
    assert finals(events) == said
    usual = translations(play(server, talk, targets=["eng"]))
    assert added(usual[-1]["text"]) == [*whole.toxicity.found]
    assert not any("toxicity" in event for event in usual)


@pytest.mark.parametrize("policy", [{"policy": "align_att"}, {"policy": "hold_n", "n": 4}])
def test_nothing_listed_is_written_while_the_speaker_goes_on_and_appended_text_stays(server, talk, policy, tmp_path):
    """Listed is the longest word that is written otherwise of the French clip alone; it may be another one on another
    processor."""
    usual = translations(play(server, talk, targets=["eng"], translation={**policy, "append": True}))
    english = {word for event in usual if event["segment"] == 0 for word in plain_text(event["text"]).split()}
    listed = max(sorted({*plain_text(usual[-1]["text"]).split()} - english), key=len)

    def has_it(event: dict[str, Any]) -> bool:
        return listed in plain_text(event["text"]).split()

    assert has_it(usual[-1])
    with running(toxic_words=str(lists(tmp_path / "lists", eng=listed))) as guarded:
        events = translations(play(guarded, talk, targets=["eng"], translation={**policy, "append": True}))
        revised = translations(play(guarded, talk, targets=["eng"], translation=policy))
        complete = translations(play(guarded, talk, targets=["eng"]))
    assert any(not event["is_final"] for event in events)
    for event in events:
        assert not has_it(event)
        assert event["stable"] == len(event["words"])
    for before, after in pairwise(events):
        assert before["segment"] != after["segment"] or after["text"].startswith(before["text"])
    assert events[-1]["toxicity"] == {"found": [listed], "removed": True}
    assert not any(map(has_it, revised))
    assert revised[-1]["text"] == complete[-1]["text"]


def test_translations_over_http_are_guarded_whole_and_streamed(guarded, server, folder, talk, tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, np.frombuffer(talk, "<i2"), 16_000)
    url = f"{guarded.http}/v1/audio/translations"

    def post(**form: str) -> httpx.Response:
        with path.open("rb") as file:
            return httpx.post(url, files={"file": ("talk.wav", file)}, data=form, timeout=120)

    whole = Recognizer.from_pretrained(toxic_words=folder).transcribe(path, to="eng")
    assert whole.toxicity is not None
    assert post().json()["text"] == whole.text
    full = post(response_format="verbose_json").json()
    assert (full["text"], full["toxicity"]) == (whole.text, whole.toxicity.to_dict())
    assert not added(post(stream="true").text)
    url = f"{server.http}/v1/audio/translations"
    assert "toxicity" not in post(response_format="verbose_json").json()


def test_what_is_said_is_translated_live_too(server, talk, tmp_path):
    options = {"targets": ["eng"], "translation": {"policy": "align_att", "append": True}}
    heard = lists(tmp_path / "lists", eng="\n".join(LISTED), fra="appelant")
    with running(toxic_words=str(heard)) as known:
        events = translations(play(known, talk, **options))
    usual = translations(play(server, talk, **options))
    assert [event["text"] for event in events] == [event["text"] for event in usual]


def test_lists_that_cannot_be_used_stop_the_server_at_once(tmp_path, checkpoint):
    with pytest.raises(ConfigError, match=r"toxic_words is .*expected a folder of lists"):
        ServeConfig(toxic_words=str(tmp_path / "none"))
    with pytest.raises(DataError, match="has no list of words"):
        make_server(ServeConfig(port=0, toxic_words=str(tmp_path)))
    usable = lists(tmp_path / "lists", eng="pest")
    with pytest.raises(ConfigError, match="no label decoder translates"):
        make_server(ServeConfig(port=0, model=str(checkpoint), toxic_words=str(usable)))
