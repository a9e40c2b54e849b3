"""The page speaks: words are lit while they are said, a click stops, and errors are shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serve.conftest import Running, running
from tests.tts.kokoro_voices import letters_program, save_kokoro

TEXT = "Hello there, Anna. It cost $5.\nThen she left."
PATIENCE_MS = 90_000
KEEP_LIT = """
window.lit = [];
let last = null;
addEventListener("DOMContentLoaded", () => {
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target !== last && target.classList.contains("lit")) lit.push((last = target).textContent);
    }
  }).observe(document.getElementById("said"), { subtree: true, attributeFilter: ["class"] });
});
"""
"""Keeps the words that were lit: each is for a tenth of a second only."""


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("speech")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        with running(voice_model=str(save_kokoro(folder / "model"))) as server:
            yield server


@pytest.fixture
def page(spoken: Running, browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(KEEP_LIT)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(spoken.http)
    page.wait_for_selector("#speak:not([hidden])")
    yield page
    context.close()
    assert said == []


def test_a_text_is_said_word_by_word(page):
    voices = page.locator("#voice option").all_inner_texts()
    assert voices == ["af_one (English)", "ef_two (Spanish)", "ff_three (French)"]
    text = "\n".join([TEXT] * 4)
    page.fill("#spoken-text", text)
    page.click("#say")
    page.wait_for_selector("#say:text-is('Stop')")
    page.wait_for_selector("#say:text-is('Speak')")
    assert page.locator("#said").text_content() == text
    words = "Hello there Anna It cost $5 Then she left".split()
    assert page.locator("#said span").all_inner_texts() == 4 * words
    rest, lit = iter(4 * words), page.evaluate("lit")
    assert lit
    assert all(word in rest for word in lit)  # in their order
    assert page.locator("#said .lit").count() == 0


def test_a_click_stops_and_the_next_text_is_another(page, spoken):
    page.fill("#spoken-text", " ".join([TEXT] * 20))
    page.click("#say")
    page.wait_for_selector("#said span")
    page.click("#say")
    assert page.inner_text("#say") == "Speak"
    page.fill("#spoken-text", "Anna.")
    page.click("#say")
    page.wait_for_selector("#said span")
    page.wait_for_selector("#say:text-is('Speak')")
    assert page.locator("#said").text_content() == "Anna."


def test_an_error_is_shown(page):
    page.fill("#spoken-text", "One два.")
    page.click("#say")
    page.wait_for_selector("#messages li")
    assert "line 1, column 5" in page.inner_text("#messages")
    assert page.inner_text("#say") == "Speak"


def test_without_a_voice_nothing_is_offered(server: Running, browser: Any):
    assert httpx.get(f"{server.http}/web/model.json").json()["voices"] == []
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.http)
        page.wait_for_selector("#languages label")
        assert page.locator("#speak").is_hidden()
