"""`recipes/tts/streaming_kokoro.py`: a Kokoro gets statistics for its voices, and then speaks window by window."""

import numpy as np
import pytest

from speech.models.kokoro_checkpoint import load_kokoro_checkpoint
from speech.speaker import Speaker
from speech.tts.speech_stream import SpeakingOptions
from speech.tts.watermark import WatermarkChoice
from tests.recipes.starting import started
from tests.tts.kokoro_voices import letters_program, save_kokoro

PAGE = """<page xmlns="http://projectmallard.org/1.0/"><title>T</title>{}</page>"""
TEXT = "the sun is over the sea and the boat is on the sea"


@pytest.fixture
def run(monkeypatch, capsys):
    yield from started(monkeypatch, capsys)


@pytest.fixture
def texts(tmp_path):
    for code, body in (("C", "the letter is on the table"), ("es", "el sol es tan alto")):
        (tmp_path / "help" / code).mkdir(parents=True)
        paragraphs = "".join(f"<p>{body} {word}.</p>" for word in ("here", "there", "ist"))
        (tmp_path / "help" / code / "index.page").write_text(PAGE.format(paragraphs), "utf-8")
    return tmp_path / "help"


def test_it_streams_afterwards(run, texts, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{letters_program(tmp_path / 'bin')}:/usr/bin:/bin")
    source, result = save_kokoro(tmp_path / "k"), tmp_path / "streaming"
    arguments = "--texts", str(texts), "--voices", "af_one,ef_two", "--sentences", "2"
    done = run("tts/streaming_kokoro.py", str(source), str(result), *arguments)
    assert done.code == 0, done.err
    assert done.out.replace("\n", "").endswith("streaming: 2 voices")
    loaded = load_kokoro_checkpoint(result)
    assert list(loaded.voices) == ["af_one", "ef_two"]
    assert all(voice.statistics is not None for voice in loaded.voices.values())
    assert loaded.info["norms"]["sentences"] == 2
    assert (result / "README.md").read_text() == "# small\n"
    packets = {}
    for path in (source, result):
        speaker = Speaker.from_pretrained(str(path), watermark=WatermarkChoice(on=False))
        options = SpeakingOptions(language="eng", voice="af_one", rate=0.5)
        packets[path] = [packet.samples for packet in speaker.stream([TEXT], options)]
    assert len(packets[source]) < len(packets[result])
    assert sum(map(len, packets[source])) == pytest.approx(sum(map(len, packets[result])), rel=0.2)
    assert np.abs(np.concatenate(packets[result])).max() > 1e-3


def test_an_unknown_voice_is_named(run, texts, tmp_path):
    done = run(
        "tts/streaming_kokoro.py", str(save_kokoro(tmp_path / "k")), str(tmp_path / "r"),
        "--texts", str(texts), "--voices", "af_one,none",
    )  # fmt: skip
    assert done.code != 0
    assert "no voice 'none'" in done.err
    assert not list((tmp_path / "r").glob("*"))
