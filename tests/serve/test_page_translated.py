"""The page says a translation while the speaker goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serve.conftest import Running, running
from tests.serve.test_page_talk import KEEP_SENT, WATCH, save_slow_voice, wait_for_state
from tests.tts.kokoro_voices import letters_program

PATIENCE_MS = 60_000


@pytest.fixture(scope="module")
def interpreting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("voice")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{letters_program(folder / 'bin')}:/usr/bin:/bin")
        with running(voice_model=str(save_slow_voice(folder / "model"))) as server:
            yield server


@pytest.fixture
def page(interpreting: Running, browser: Any) -> Iterator[Any]:
    """The page; nothing may be written to its console."""
    said: list[str] = []
    with browser.new_context() as context:
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(f"{{{WATCH.replace('#turns .lit', '#heard .lit')}}}")
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
        page.goto(interpreting.http)
        page.wait_for_selector("#targets label")
        yield page
    assert said == []


def test_a_translation_is_heard_and_its_words_are_lit_if_that_is_wanted(page):
    assert httpx.get(page.url + "web/model.json").json()["says"] == ["eng"]
    assert page.is_hidden("#aloud")
    page.click("#targets label:has-text('English')")
    assert page.is_visible("#aloud")
    assert not page.is_checked("#say-translation")
    page.check("#say-translation")
    page.click("#talk")
    page.wait_for_selector("#segments .translations p")
    page.wait_for_selector("#heard p")
    page.wait_for_function("() => lit.length > 0")
    page.wait_for_function("() => loudest > 0.01")
    assert page.evaluate("asked.audio.echoCancellation") is True
    page.wait_for_selector("#segments .final .translations p:not(.unstable)")
    page.click("#talk")
    wait_for_state(page, "idle")
    page.wait_for_function("() => [...document.querySelectorAll('#heard span')].every((word) => word.matches('.past'))")
    written = " ".join(page.locator("#segments .translations p").all_inner_texts())
    shown = page.locator("#heard p").all_inner_texts()
    assert shown
    assert all(word in written for line in shown for word in line.split())
    assert page.locator("#heard .past").count() > 0


def test_it_is_not_heard_unless_it_is_wanted_and_may_be_wanted_later(page):
    page.click("#targets label:has-text('English')")
    page.click("#talk")
    wait_for_state(page, "open")
    page.evaluate(KEEP_SENT)
    page.check("#say-translation")
    page.wait_for_function("() => sent.some(text => text.includes('interpret'))")
    update = page.evaluate("JSON.parse(sent.find(text => text.includes('interpret')))")
    assert (update["type"], update["interpret"]) == ("update", {"target": "eng"})
    assert update["translation"] == {"policy": "align_att", "append": True}
    page.wait_for_selector("#heard p")
    page.uncheck("#say-translation")
    page.wait_for_function("() => sent.some(text => text.includes('\"interpret\":null'))")
    page.click("#talk")
    wait_for_state(page, "idle")


def test_without_a_voice_nothing_is_offered(server: Running, browser: Any):
    assert httpx.get(f"{server.http}/web/model.json").json()["says"] == []
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.http)
        page.click("#targets label:has-text('English')")
        assert page.is_hidden("#aloud")
