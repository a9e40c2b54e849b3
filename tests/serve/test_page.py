"""The page in a real browser, against the real server."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

import serve
from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.metrics.edit.error_rate import text_errors
from speech.transcript import Transcript
from tests.conftest import RARE
from tests.serve.conftest import Running, running

WEB = Path(serve.__file__).parent / "web"
FILES = sorted(path for path in WEB.iterdir() if path.is_file())
PATIENCE_MS = 90_000
KEEP_SOCKETS = """
window.sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(...given) { super(...given); window.sockets.push(this); }
};
"""
CUT = "() => { const last = sockets.at(-1); if (last.readyState < 2) last.close(); return sockets.length; }"


# Files


def test_page_is_served_with_its_types_and_a_strict_policy(server: Running):
    expected = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    with httpx.Client(base_url=server.http) as client:
        for path in FILES:
            answer = client.get("/" if path.name == "index.html" else f"/web/{path.name}")
            assert answer.status_code == 200
            assert answer.text == path.read_text("utf-8")
            assert answer.headers["content-type"].split(";")[0] == expected[path.suffix[1:]]
            assert answer.headers["cache-control"] == "no-cache"
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            again = client.get(answer.url, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304 or path.name == "index.html"
        assert client.head("/").status_code == 200
        assert client.get("/web/index.html").headers["location"] == "../"
        assert client.get("/web/missing.js").status_code == 404
        assert client.get("/web/%2e%2e/app.py").status_code == 404


def test_page_knows_the_model_without_a_session(server: Running, recognizer: Recognizer):
    found = httpx.get(f"{server.http}/web/model.json").json()
    vocabulary = recognizer.tokenizer.vocabulary
    assert [item["code"] for item in found["languages"]] == list(recognizer.known)
    assert [item["code"] for item in found["targets"]] == ["eng"]
    german = found["languages"][vocabulary.languages.index("deu")]
    assert {"tag": "de", "name": "German", "native": "Deutsch"}.items() <= german.items()
    assert found["needs_key"] is False


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_short_and_use_nothing_from_elsewhere(path: Path):
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 400
    assert max(map(len, text.splitlines())) <= 140
    assert re.findall(r"(?:src|href|from|import|url)[ =(]+[\"']?(?:https?:)?//[^\s\"']*", text) == []
    assert "console." not in text
    assert "innerHTML" not in text


# The browser


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page; in the end nothing may have been written to the console but what was expected."""
    said: list[str] = []
    contexts, expected = [], []

    def opened(server: Running, allow: str = "(?!)", **options: Any) -> Any:
        context = browser.new_context(accept_downloads=True, **{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        expected.append(allow)
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(KEEP_SOCKETS)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        page.goto(server.http)
        page.wait_for_selector("#languages label")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in said if not any(re.search(pattern, text) for pattern in expected)] == []


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory, pcm: bytes) -> Path:
    """The speech of the tests, two languages."""
    path = tmp_path_factory.mktemp("page") / "two languages.wav"
    soundfile.write(path, np.frombuffer(pcm, "<i2"), 16_000)
    return path


@pytest.fixture(scope="module")
def heard(recognizer: Recognizer, pcm: bytes) -> Transcript:
    return recognizer.transcribe(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768)


def finals(page: Any) -> str:
    return " ".join(page.locator("#segments li.final:not([hidden]) .text").all_inner_texts())


def wait_for_state(page: Any, *states: str) -> None:
    page.wait_for_function("states => states.includes(document.body.dataset.state)", arg=list(states))


def play_file(page: Any, path: Path, *, real_time: bool = False) -> None:
    page.set_checked("#pace", real_time)
    page.set_input_files("#file", path)


def saved(page: Any, kind: str) -> tuple[str, str]:
    with page.expect_download() as download:
        page.click(f"[data-save={kind}]")
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def test_microphone_is_written_down_while_it_speaks(visit, server: Running, recognizer: Recognizer, clip):
    page = visit(server)
    page.focus("#talk")
    page.keyboard.press("Space")
    wait_for_state(page, "open")
    page.wait_for_function("() => Number(document.querySelector('#meter').ariaValueNow) > -40")
    page.wait_for_selector("#segments .word.unstable")  # before the final
    page.wait_for_selector("#segments li.final .word")
    assert page.locator("#segments .word.unstable").count() == 0
    page.keyboard.press("Enter")
    wait_for_state(page, "idle")
    expected = recognizer.transcribe(clip).text
    assert text_errors(expected, finals(page), ("rus",)).words.rate < 0.3
    assert page.inner_text("#legend") == "Russian"
    assert page.inner_text("#announce") == finals(page)
    assert page.inner_text("#first").endswith(" ms")
    assert page.inner_text("#final").endswith(" ms")


def test_file_says_what_the_library_says_and_can_be_saved(visit, server: Running, wav: Path, heard: Transcript):
    page = visit(server)
    play_file(page, wav)
    wait_for_state(page, "reading", "connecting", "open", "finishing")
    wait_for_state(page, "idle")
    assert finals(page) == heard.text
    assert page.inner_text("#words") == str(len(heard.words))
    name, text = saved(page, "txt")
    assert name == "two languages.txt"
    assert " ".join(text.splitlines()) == heard.text
    assert saved(page, "srt") == ("two languages.srt", heard.to_srt())
    assert saved(page, "vtt") == ("two languages.vtt", heard.to_vtt())
    page.locator("#segments .word").first.hover()
    times = [f"0:{seconds:05.2f}" for seconds in (heard.words[0].start_s, heard.words[0].end_s)]
    assert page.inner_text("#tip").startswith(" – ".join(times))
    page.click("#clear")
    assert finals(page) == ""


def test_scores_of_the_server_are_drawn(visit, server: Running, wav: Path, heard: Transcript):
    page = visit(server)
    assert page.is_hidden("#scores")
    page.click("summary:has-text('reference')")
    first, *rest = heard.text.split(" ")
    page.fill("#reference", f"{first.upper()}, {' '.join(rest)}.\nAnd <tag more>!")
    play_file(page, wav)
    page.wait_for_selector("#scores:not([hidden])")
    wait_for_state(page, "idle")
    expected = text_errors(f"{heard.text} and more", heard.text, ("eng",)).words
    assert page.inner_text("#rates [data-line=wer] dd") == f"{100 * expected.rate:.1f} %"
    assert page.inner_text("#rates [data-line=pier] dd") == "100.0 %"
    assert page.inner_text("#rates [data-line=saer] dd") == "–"
    assert page.inner_text("#score-note").startswith("All finals against the whole reference.")
    marks = page.locator("#sentences li").evaluate_all("rows => rows.map(row => row.dataset.mark)")
    assert set(marks[:-1]) == {"right"}  # its sentences, and the one that was added
    assert marks[-1] == "wrong"
    assert page.locator("#course circle[data-line=wer]").count() >= 2
    page.click("#clear")
    assert page.is_hidden("#scores")


def test_a_reference_grows_while_somebody_speaks(visit, server: Running, wav: Path, heard: Transcript):
    page = visit(server)
    page.click("summary:has-text('reference')")
    play_file(page, wav, real_time=True)
    page.wait_for_selector("#segments .word")
    half = len(heard.text) // 2
    for text in (heard.text[: heard.text.index(" ", half)], heard.text):
        page.fill("#reference", text)
        page.dispatch_event("#reference", "change")
    page.fill("#reference", "something else")
    page.dispatch_event("#reference", "change")
    page.wait_for_selector("text=only add to it")
    wait_for_state(page, "idle")
    assert page.locator("#sentences li[data-mark=right]").count() == 2
    assert page.inner_text("#rates [data-line=wer] dd") == "0.0 %"


def test_rare_words_can_be_named(visit, server: Running, recognizer: Recognizer, tmp_path: Path):
    samples, wave = load_audio(RARE), tmp_path / "day.wav"
    soundfile.write(wave, samples, 16_000, subtype="PCM_16")
    page = visit(server)
    page.click("summary:has-text('rare words')")
    page.fill("#phrases", "dimanche\n\nlundi ^2\n")
    page.click("#languages label:has-text('French')")
    play_file(page, wave)
    page.wait_for_selector("#segments li.final .word")
    wait_for_state(page, "idle")
    assert finals(page) == "dimanche" != recognizer.transcribe(samples, language="fra").text


def test_broken_connections_lose_nothing(visit, server: Running, wav: Path, heard: Transcript):
    page = visit(server, allow="WebSocket connection to .* failed")
    play_file(page, wav, real_time=True)
    page.wait_for_selector("#segments .word")
    assert page.evaluate(CUT) == 1
    wait_for_state(page, "reconnecting")
    wait_for_state(page, "open")
    page.wait_for_function("() => document.querySelector('#audio').innerText >= '0:04'")
    page.context.set_offline(True)
    assert page.evaluate(CUT) >= 2
    wait_for_state(page, "reconnecting")
    page.wait_for_function("() => sockets.length >= 4")  # more than one try in vain
    page.context.set_offline(False)
    wait_for_state(page, "idle")
    assert finals(page) == heard.text
    assert "?session=" in page.evaluate("sockets.at(-1).url")
    assert "nothing was lost" in page.inner_text("#messages")


def test_page_offers_the_translations_that_were_measured(visit, server: Running):
    page = visit(server)
    page.wait_for_selector("#targets label")
    assert page.locator("#targets label").all_inner_texts() == ["English"]


def test_page_fits_a_phone_and_takes_other_languages_on_the_way(visit, translating: Running, wav: Path):
    page = visit(translating, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    play_file(page, wav, real_time=True)
    wait_for_state(page, "open")
    page.locator("#targets label", has_text="Spanish").tap()
    page.locator("#languages label", has_text="French").tap()
    page.wait_for_selector("text=The new choice holds from")
    wait_for_state(page, "idle")
    assert page.inner_text("#languages .chosen") == "French"
    assert page.locator("#segments .translations p[lang=es]").count() >= 1
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert page.inner_text("#legend").split() == ["French"]


def test_colours_follow_the_system_and_the_button(visit, server: Running):
    page = visit(server, color_scheme="dark")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#theme")
    light = page.evaluate(ground)
    page.reload()
    assert page.evaluate(ground) == light != dark
    page.click("#theme")
    assert page.evaluate(ground) == dark


def test_refusals_are_said_in_words(visit, wav: Path):
    with running(api_keys=["a-key"]) as guarded:
        page = visit(guarded)
        play_file(page, wav)
        page.wait_for_selector("#messages .error >> text=wants an API key")
        wait_for_state(page, "idle")
        page.fill("#key", "no key")
        play_file(page, wav)
        page.wait_for_selector("#messages .error >> text=cannot be sent by a page")
        page.fill("#key", "a-key")
        page.reload()
        play_file(page, wav)
        page.wait_for_selector("#segments li.final .word")
        wait_for_state(page, "idle")
        page.set_input_files("#file", {"name": "no.wav", "mimeType": "audio/wav", "buffer": b"no audio"})
        page.wait_for_selector("#messages .error >> text=cannot read this file as audio")
        page.evaluate(
            "() => { navigator.mediaDevices.getUserMedia = "
            "async () => { throw new DOMException('', 'NotAllowedError'); }; }"
        )
        page.click("#talk")
        page.wait_for_selector("#messages .error >> text=not allowed to use the microphone")
        wait_for_state(page, "idle")
