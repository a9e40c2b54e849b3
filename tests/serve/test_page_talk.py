"""The page listens and talks: turns of both sides, replies that sound, interruptions, broken connections."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch

from speech.audio.input.files import load_audio
from speech.audio.input.pcm import to_pcm16
from speech.data.manifest import read_manifest
from speech.models.kokoro_checkpoint import save_kokoro_checkpoint
from tests.conftest import CLIPS
from tests.serve.conftest import Running, running
from tests.tts.kokoro_voices import kokoro_checkpoint, letters_program

PATIENCE_MS = 120_000
WATCH = """
window.sockets = [];
window.bytes = 0; // of audio that has come
window.loudest = 0; // sample that has left for the loudspeaker
window.lit = []; // words, one after the other
window.asked = null; // of the microphone
let meter = null;
window.level = () => {
  const samples = new Float32Array(2048);
  meter?.getFloatTimeDomainData(samples);
  return samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
};
window.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    window.sockets.push(this);
    this.addEventListener("message", ({ data }) => (window.bytes += data.byteLength ?? 0));
  }
};
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (this instanceof AudioWorkletNode && to === this.context.destination) {
    connect.call(this, (meter = new AnalyserNode(this.context, { fftSize: 2048 })));
  }
  return connect.call(this, to, ...rest);
};
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (constraints) => open((window.asked = constraints));
addEventListener("DOMContentLoaded", () => {
  const look = () => {
    window.loudest = Math.max(window.loudest, level());
    const now = document.querySelector("#turns .lit")?.textContent;
    if (now && now !== window.lit.at(-1)) window.lit.push(now);
    requestAnimationFrame(look);
  };
  look();
});
"""
OWN_MICROPHONE = """
let device = null;
navigator.mediaDevices.getUserMedia = async () => {
  device = new AudioContext({ sampleRate: 16000 });
  window.mouth = device.createMediaStreamDestination();
  const silence = new ConstantSourceNode(device, { offset: 0 });
  silence.connect(window.mouth);
  silence.start();
  return window.mouth.stream;
};
window.say = (pcm) => {
  const bytes = Uint8Array.from(atob(pcm), (letter) => letter.charCodeAt(0));
  const samples = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 32768);
  const buffer = new AudioBuffer({ length: samples.length, sampleRate: 16000 });
  buffer.copyToChannel(samples, 0);
  const source = new AudioBufferSourceNode(device, { buffer });
  source.connect(window.mouth);
  source.start();
};
"""
"""A microphone into which a test speaks when it wants to."""
KEEP_SENT = """() => {
  const socket = sockets.at(-1);
  window.sent = [];
  socket.send = (data) => {
    if (typeof data === "string") sent.push(data);
    WebSocket.prototype.send.call(socket, data);
  };
}"""
CUT = "() => { const last = sockets.at(-1); if (last.readyState < 2) last.close(); }"


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """What the microphone hears: English, float32 at 16 kHz."""
    return load_audio(read_manifest(CLIPS, check_files=True)[0].audio)


def save_slow_voice(folder: Path) -> Path:
    """A small Kokoro that takes seconds to say a sentence."""
    checkpoint = kokoro_checkpoint()
    config = checkpoint.model.config
    model = replace(config, generator=replace(config.generator, n_fft=256, hop=64)).build().eval()
    with torch.no_grad():
        model.prosody.duration.bias.fill_(1.0)
    save_kokoro_checkpoint(folder, replace(checkpoint, model=model), card="# small\n")
    return folder


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("answers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        with running(voice_model=str(save_slow_voice(folder / "model")), answers="echo") as server:
            yield server


@pytest.fixture
def visit(answering: Running, browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page in its mode of dialogues; nothing may be written to the console."""
    said: list[str] = []
    contexts = []

    def opened(*scripts: str, allow: str = "(?!)", **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        for script in (WATCH, *scripts):
            context.add_init_script(f"{{{script}}}")
        page = context.new_page()
        page.on("console", lambda message: re.search(allow, message.text) or said.append(message.text))
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        page.goto(answering.http)
        page.wait_for_selector("#mode:not([hidden])")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def start(page: Any) -> None:
    page.click("label[for=converse]")
    page.click("#talk")
    wait_for_state(page, "open")


def wait_for_state(page: Any, state: str) -> None:
    page.wait_for_function("state => document.body.dataset.state === state", arg=state)


def texts(page: Any, side: str) -> list[str]:
    found = page.locator(f"#turns .{side} .text").evaluate_all("all => all.map(one => one.textContent)")
    return [str(text) for text in found]


def say(page: Any, clip: np.ndarray) -> None:
    page.evaluate("pcm => say(pcm)", base64.b64encode(to_pcm16(clip)).decode())


def test_a_spoken_turn_is_answered_aloud_by_keyboard_alone(visit):
    page = visit(reduced_motion="reduce")
    page.focus("#write")
    page.keyboard.press("ArrowRight")
    assert page.is_hidden(".transcript")
    assert page.is_visible("#dialogue")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for_state(page, "open")
    page.wait_for_selector("#who-you.on")
    page.wait_for_selector("#turns .you .unstable")  # while it is said
    page.wait_for_selector("#who-speech.on")
    page.wait_for_selector("#turns .speech[data-state=done]")
    assert page.locator("#turns .unstable").count() == 0
    [spoken], [reply] = texts(page, "you"), texts(page, "speech")
    assert spoken == reply != ""
    assert page.evaluate("getComputedStyle(document.querySelector('#turns li')).transitionDuration") == "0s"
    assert page.evaluate("asked.audio.echoCancellation") is True
    page.wait_for_selector("#who-speech:not(.on)")
    assert page.evaluate("loudest") > 0.01
    rate = httpx.get(page.url + "web/model.json").json()["voice_rate"]
    played = int(page.get_attribute("#turns .speech", "data-played-ms"))
    assert played == pytest.approx(1000 * page.evaluate("bytes") / 2 / rate, abs=5)
    rest, lit = iter(re.findall(r"[\w']+", reply)), page.evaluate("lit")
    assert lit
    assert all(word in rest for word in lit)  # in their order
    page.keyboard.press("Enter")
    wait_for_state(page, "idle")


def test_where_the_time_went_is_drawn_and_said_in_words(visit, clip):
    page = visit(OWN_MICROPHONE)
    start(page)
    say(page, clip)
    page.wait_for_selector("#turns .latency")
    label = page.get_attribute("#turns .latency svg", "aria-label")
    total = int(re.match(r"From the end of speech to the reply: (\d+) ms", label)[1])
    times = {name: int(ms) for name, ms in re.findall(r"[;,] ([a-z ]+) after (-?\d+) ms", label)}
    assert list(times) == page.locator("#stages li").all_inner_texts()
    assert total == times["sent"] == max(times.values())
    assert page.inner_text("#turns .latency span") == f"{total} ms"
    widths = page.locator("#turns .latency rect").evaluate_all("all => all.map(one => one.width.baseVal.value)")
    assert sum(widths) == pytest.approx(total)


def test_who_speaks_over_a_reply_interrupts_it(visit, clip):
    page = visit(OWN_MICROPHONE)
    start(page)
    say(page, clip)
    page.wait_for_function("() => level() > 0.01")
    say(page, clip)
    page.wait_for_selector("#turns .speech[data-state=held], #turns .speech[data-state=cut]")
    page.wait_for_function("() => level() === 0")
    page.wait_for_selector("#turns .speech[data-state=cut]")
    spoken, cut = texts(page, "you")[0], page.locator("#turns .speech").first
    heard, missed = cut.locator(".past").text_content() or "", cut.locator("s").text_content()
    assert missed
    assert heard + missed == spoken
    assert "interrupted" in cut.locator(".unseen").text_content()
    bytes_then = page.evaluate("bytes")
    page.wait_for_selector("#turns .speech[data-state=done]")
    assert len(texts(page, "you")) == len(texts(page, "speech")) == 2
    assert page.evaluate("bytes") > bytes_then
    order = page.locator("#turns li").evaluate_all("all => all.map(one => one.classList[0])")
    assert order == ["you", "speech", "you", "speech"]


def test_a_broken_connection_loses_nothing_of_a_reply(visit, clip):
    page = visit(OWN_MICROPHONE, allow="WebSocket connection to .* failed")
    start(page)
    say(page, clip)
    page.wait_for_function("() => level() > 0.01")
    page.evaluate(CUT)
    wait_for_state(page, "reconnecting")
    wait_for_state(page, "open")
    page.wait_for_selector("#turns .speech[data-state=done]")
    assert texts(page, "speech") == texts(page, "you")
    assert "nothing was lost" in page.inner_text("#messages")


def test_a_chosen_voice_holds_from_the_next_reply_on(visit, clip):
    page = visit(OWN_MICROPHONE)
    assert page.locator("#voice option").all_inner_texts()[0] == "automatic"
    start(page)
    page.evaluate(KEEP_SENT)
    page.select_option("#voice", label="ef_two (Spanish)")
    page.wait_for_function("() => sent.some(text => text.includes('update_dialogue'))")
    assert '"language":"spa","voice":"ef_two"' in page.evaluate("sent.find(text => text.includes('update_dialogue'))")
    say(page, clip)
    page.wait_for_selector("#turns .speech[data-state=saying]")


def test_a_dialogue_fits_a_phone(visit, clip):
    page = visit(OWN_MICROPHONE, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    start(page)
    say(page, clip)
    page.wait_for_selector("#turns .latency")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_without_answers_there_is_no_dialogue(server: Running, browser: Any):
    assert httpx.get(f"{server.http}/web/model.json").json()["answers"] is False
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.http)
        page.wait_for_selector("#languages label")
        assert page.is_hidden("#mode")
        assert page.is_hidden("#dialogue")
