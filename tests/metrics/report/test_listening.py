"""The listening test: its order, what it may ask for, and votes in a real browser."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech.audio.output import encoded
from speech.choices import AudioEncoding
from speech.errors import ConfigError
from speech.metrics.report.listening import HeardText, ListeningTest, page_data, render_test, trials
from speech.metrics.report.page import linked_audio

HOSTILE = "</script><img src=x onerror=alert(1)>"


@given(st.integers(0, 6), st.integers(2, 4), st.integers(0, 1 << 32))
def test_every_two_systems_meet_once_with_each_text(texts, systems, seed):
    found = trials(texts, systems, seed)
    met = Counter((text, *sorted(order)) for text, *order in found)
    assert set(met.values()) <= {1}
    assert len(found) == texts * math.comb(systems, 2)
    assert found == trials(texts, systems, seed)


def test_neither_system_is_always_the_first():
    first = [first for _, first, _ in trials(200, 2, 0)]
    assert 70 < sum(first) < 130
    assert trials(200, 2, 0) != trials(200, 2, 1)


def two(audio=(("a.mp3", "b.mp3"),) * 2, systems=("ours", HOSTILE), seed=0):
    texts = [HeardText(f"u{n}", f"Text {n} {HOSTILE}", "eng", urls) for n, urls in enumerate(audio)]
    return ListeningTest("test & more", systems, texts, seed)


def test_texts_stay_texts_and_the_page_asks_for_nothing():
    page = render_test(two())
    assert HOSTILE not in page
    assert page.count("</script>") == 2
    assert "{{" not in page
    assert "<title>Listening: test &amp; more</title>" in page
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert not re.search(r"url\(|@import|fetch\(", page)


def test_votes_belong_to_what_was_heard():
    keys = {page_data(one)["key"] for one in (two(), two(seed=1), two(systems=("ours", "other")))}
    assert len(keys) == 3
    assert page_data(two()) == page_data(two())


def test_one_system_is_refused():
    with pytest.raises(ConfigError, match="two systems or more"):
        two(systems=("ours",))


# The browser


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: uv pip install playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield chrome
        chrome.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Opens a page with recordings of half a second; at the end nothing was complained of."""
    said = []
    tone = 0.1 * np.sin(np.arange(12_000) / 10).astype(np.float32)
    (tmp_path / "sounds").mkdir()
    for name, format in (("a 1", AudioEncoding.wav), ("b", AudioEncoding.opus), ("c", AudioEncoding.mp3)):
        (tmp_path / "sounds" / f"{name}.{format}").write_bytes(encoded(tone, format, 24_000))
    links = [linked_audio(path, tmp_path) for path in sorted((tmp_path / "sounds").iterdir())]
    context = browser.new_context(viewport={"width": 390, "height": 800}, accept_downloads=True)

    def opened(texts=2, systems=("ours", HOSTILE)):
        test = two([links[: len(systems)]] * texts, systems)
        (tmp_path / "page.html").write_text(render_test(test), "utf-8")
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((tmp_path / "page.html").as_uri())
        return page, page_data(test)

    yield opened
    assert said == []
    context.close()


def listen(page):
    """Play both recordings of a trial."""
    for key, side in (("1", 0), ("2", 1)):
        page.keyboard.press(key)
        page.wait_for_function("side => heard[side]", arg=side)


def test_one_votes_after_both_were_played_and_then_sees_the_names(visit):
    page, data = visit()
    vote = page.get_by_role("button", name="A is better")
    assert vote.is_disabled()
    page.keyboard.press("a")
    assert page.inner_text("#counted") == "0 of 2 voted"
    page.get_by_role("button", name="Play A").click()
    page.wait_for_function("() => heard[0]")
    page.get_by_role("button", name="Play B").click()
    page.wait_for_function("() => heard[1]")
    assert page.evaluate("players[0].paused")  # the other one stops
    assert page.locator(".who").all_inner_texts() == ["", ""]
    vote.click()
    text, *order = data["trials"][0]
    assert page.locator(".who").all_inner_texts() == [data["systems"][system] for system in order]
    assert page.inner_text("#text") == data["texts"][text]["text"]
    assert page.inner_text("#counted") == "1 of 2 voted"
    assert vote.get_attribute("aria-pressed") == "true"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("img").count() == 0


def test_votes_are_counted_kept_and_exported(visit):
    page, data = visit(texts=4)
    for number, key in enumerate("aeb"):
        listen(page)
        page.keyboard.press(key)
        assert page.inner_text("#counted") == f"{number + 1} of 4 voted"
        page.keyboard.press("n")
    page.reload()
    assert page.inner_text("#counted") == "3 of 4 voted"
    assert page.inner_text("#trial-title").startswith("4 of 4")  # the first without a vote
    with page.expect_download() as download:
        page.click("#export")
    found = json.loads(download.value.path().read_text("utf-8"))
    played = [[data["systems"][system] for system in order] for _, *order in data["trials"]]
    assert [one["better"] for one in found["votes"]] == [played[0][0], None, played[2][1]]
    assert [one["played"] for one in found["votes"]] == played[:3]
    (pair,) = found["pairs"]
    wins = Counter(one["better"] for one in found["votes"])
    assert (pair["votes"], pair["no_difference"]) == (3, 1)
    assert pair["better"] == [wins[name] for name in pair["systems"]]
    assert pair["shares"][0] == pytest.approx(wilson(pair["better"][0], 3), abs=1e-5)
    page.click("#results summary")
    shares = f"{pair['better'][0] / 3:.2f} ["
    assert shares in page.inner_text("#counts")
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("#forget")
    assert page.inner_text("#counted") == "0 of 4 voted"
    page.reload()
    assert page.inner_text("#counted") == "0 of 4 voted"


def wilson(count, all_of, z=1.959964):
    """Share and bounds: the solutions of |p - share| = z * sqrt(p (1 - p) / n)."""
    share = count / all_of
    low, high = np.roots([1 + z**2 / all_of, -2 * share - z**2 / all_of, share**2])[::-1]
    return [share, float(low), float(high)]


def test_three_systems_meet_in_pairs_and_a_vote_can_be_changed(visit):
    page, data = visit(texts=1, systems=("one", "two", "three"))
    assert page.inner_text("#trial-title") == "1 of 3: u0"
    listen(page)
    page.keyboard.press("a")
    page.keyboard.press("b")
    page.click("#results summary")
    rows = page.locator("#counts tr").all_inner_texts()
    assert len(rows) == 4
    _, first, second = data["trials"][0]
    (voted,) = (row for row in rows[1:] if "\t1\t" in row)
    assert {data["systems"][first], data["systems"][second]} == set(voted.split("\t")[0].split(" and "))
    assert f"{data['systems'][second]}: 1 (1.00 [0.21, 1.00])" in voted
    page.check("#named")
    page.keyboard.press("n")
    assert all(page.locator(".who").all_inner_texts())


def test_a_recording_that_is_gone_is_told(browser, tmp_path):
    (tmp_path / "page.html").write_text(render_test(two()), "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_function("() => document.getElementById('hint').textContent.endsWith('cannot be played.')")
    page.close()
