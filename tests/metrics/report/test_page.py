"""The report: its data, texts that look like markup, and the page in a real browser."""

import json
import re
import shutil
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest

from speech.errors import DataError
from speech.metrics.groups import group_name, groups_of
from speech.metrics.latency import Emission, latency_figures
from speech.metrics.meaning.saer import saer
from speech.metrics.meaning.vectors import Vectors
from speech.metrics.report.page import Report, audio_link, embedded_audio, render, report_data
from speech.metrics.systems import compare, score_system, with_figures
from speech.metrics.translation import translation_figures
from speech.metrics.utterance import Pairing, score_utterance

HOSTILE = "</script><img src=x onerror=alert(1)>"
HEADINGS = {"wer": "WER", "cer": "CER", "mer": "MER", "pier": "PIER", "saer": "SAER", "bleu": "BLEU"}
COFFEE = "我们去 coffee shop 吧"
REFERENCES = [
    Pairing("", "", ("cmn", "eng"), "mixed"), Pairing("", "", ("deu",), "german"), Pairing("", "", (), HOSTILE),
]  # fmt: skip
WANTED = [COFFEE, "Das Meeting war gut.", f"hello {HOSTILE} there"]
OURS = ["我们去咖啡 shop 吧", "das war gut sehr", f"hello {HOSTILE} there"]
OTHERS = [COFFEE, "das", ""]


class Lengths:
    """Encodes how long a text is: an encoder that nobody has to install."""

    name, languages = "lengths", None

    def encode(self, texts):
        rows = np.array([[len(text), 1.0] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def system(name, pairings, meaning=True):
    scores = [score_utterance(one) for one in pairings]
    found = score_system(name, scores, saer(pairings, Vectors(Lengths())) if meaning else None)
    wanted, said = [one.reference for one in pairings], [one.hypothesis for one in pairings]
    return with_figures(found, translation_figures(wanted, said, ["eng"] * len(wanted))) if meaning else found


def report(*said, audio=None, wanted=WANTED, references=REFERENCES, meaning=True):
    pairings = [
        [
            Pairing(one, other, known.languages, known.id)
            for one, other, known in zip(wanted, texts, references, strict=True)
        ]
        for texts in said
    ]
    systems = [system(f"system {n}", own, meaning) for n, own in enumerate(pairings)]
    groups = groups_of(map(group_name, pairings[0]))
    compared = [compare(systems[0], other) for other in systems[1:]]
    return Report("test & more.jsonl", systems, compared, groups, pairings, [audio] * len(wanted), HEADINGS)


def embedded(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


def test_data_hold_figures_groups_and_alignments():
    found = report_data(report(OURS, OTHERS))
    assert [one["name"] for one in found["figures"]] == ["wer", "cer", "mer", "pier", "saer", "bleu"]
    assert [one["higher"] for one in found["figures"]] == [False] * 5 + [True]
    first, second = found["systems"]
    assert first["against"] == [None] * 6
    assert [len(one) for one in second["against"]] == [4] * 6
    assert first["rates"][2][0] == pytest.approx(4 / 19, abs=1e-6)
    assert [(group["name"], group["count"]) for group in found["groups"]] == [("Latn", 1), ("cmn-eng", 1), ("deu", 1)]
    mixed, german, _ = found["utterances"]
    assert mixed["words"] == "我 们 去 coffee shop 吧"
    assert mixed["languages"] == ["cmn", "cmn", "cmn", "eng", "eng", "cmn"]
    assert mixed["points"] == (3, 4)
    assert mixed["heard"][0]["edits"] == [2, 3, 3, 0, 3, 4]
    assert "languages" not in german
    assert german["text"] == "Das Meeting war gut."
    assert german["heard"][0]["figures"][0] == 0.5
    assert found["signature"].startswith("normalizer:2|wer:2 saer|")


def test_what_was_said_where_nothing_is_to_be_said_is_finite():
    found = report_data(report(["a b"], wanted=[""], references=[Pairing("", "", (), "u")]))
    (one,) = found["utterances"]
    assert one["heard"][0]["figures"][0] == 1.0
    assert found["systems"][0]["silence"] == {"utterances": 1, "words": 2, "characters": 2}
    assert found["systems"][0]["rates"][:3] == [None, None, None]
    assert report_data(report([""], wanted=[""], references=[Pairing("", "", (), "u")]))["utterances"][0]["words"] == ""


def test_texts_that_look_like_markup_stay_texts():
    page = render(report(OURS))
    assert HOSTILE not in page
    assert page.count("</script>") == 2
    assert embedded(page)["utterances"][2]["id"] == HOSTILE
    assert "<title>Scores: test &amp; more.jsonl</title>" in page
    assert "{{" not in page


def test_the_page_asks_for_nothing():
    page = render(report(OURS))
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)
    assert not re.search(r"url\(|@import|fetch\(", page)


def timed(*said):
    """A report whose systems are settings of a policy that lag by one second more each."""
    found = report(*said)
    systems = [
        with_figures(replace(one, name=f"policy {n}"), latency_figures([Emission((n + 0.5,), 1.0, 1)] * len(WANTED)))
        for n, one in enumerate(found.systems)
    ]
    headings = {**HEADINGS, "chrf": "chrF", "laal": "LAAL (s)"}
    return replace(found, systems=systems, headings=headings)


def test_quality_and_latency_of_several_systems_are_drawn():
    assert 'id="curve"' in render(timed(OURS, OTHERS))
    assert 'id="curve"' not in render(report(OURS, OTHERS))
    assert 'id="curve"' not in render(timed(OURS))
    assert "{{" not in render(timed(OURS, OTHERS))


def test_audio_is_linked_from_where_the_page_is_or_put_into_it(tmp_path):
    file = tmp_path / "clips" / "a 1#.wav"
    file.parent.mkdir()
    file.write_bytes(b"RIFF")
    (tmp_path / "out").mkdir()
    assert audio_link(file, tmp_path / "out") == "../clips/a%201%23.wav"
    assert audio_link(tmp_path / "nowhere.wav", tmp_path) is None
    kind, _, content = embedded_audio(file).partition(";base64,")
    assert kind.startswith("data:audio/")
    assert b64decode(content) == b"RIFF"
    with pytest.raises(DataError, match=r"nowhere.wav: cannot be put into the report.*--embed-audio"):
        embedded_audio(tmp_path / "nowhere.wav")


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
    """Opens a report; at the end nothing was complained of, and nothing but the file was asked for."""
    said, asked, contexts = [], [], []

    def opened(shown, **options):
        file = tmp_path / "report.html"
        file.write_text(render(shown), "utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        return page

    yield opened
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / "report.html").as_uri()]
    for context in contexts:
        context.close()


def ids(page):
    return page.locator("#list th[scope=row]").all_inner_texts()


def test_the_page_shows_systems_and_words_as_they_were_aligned(visit):
    page = visit(report(OURS, OTHERS))
    assert page.inner_text("h1") == "Scores of test & more.jsonl"
    assert page.locator("#systems tbody tr").count() == 6
    assert page.locator("#systems svg circle").count() == 12
    mixed = page.locator("#u0")
    assert mixed.locator(".replace del").first.inner_text() == "coffee"
    assert mixed.locator(".replace ins").first.inner_text() == "啡"
    assert mixed.locator(".insert ins").first.inner_text() == "咖"
    assert mixed.locator("[data-tag=eng]").first.inner_text() == "coffee"
    assert mixed.locator(".point").all_inner_texts() == ["coffee", "shop"]
    german = page.locator("#u1 .words")
    assert german.nth(1).locator(".delete").inner_text() == "meeting"
    assert german.nth(1).locator(".insert").inner_text() == "sehr"
    nothing = page.locator("#u2 .words").nth(2)
    assert (
        nothing.locator(".delete").inner_text()
        == nothing.inner_text()
        == "hello script img src x onerror alert 1 there"
    )
    assert page.locator("img").count() == 0
    assert "p" in page.locator("#systems td small").nth(1).inner_text()


def test_columns_sort_by_keyboard_and_the_list_is_filtered(visit):
    page = visit(report(OURS, OTHERS))
    page.focus("#list th button[data-key=id]")
    page.keyboard.press("Enter")
    assert page.locator("#list th[aria-sort=descending]").inner_text() == "Utterance"
    assert ids(page) == ["mixed", "german", HOSTILE]
    page.keyboard.press("Enter")  # the heading keeps the focus
    assert page.locator("#list th[aria-sort=ascending]").count() == 1
    assert ids(page) == [HOSTILE, "german", "mixed"]
    page.click("#list th button[data-key=d1]")
    assert ids(page)[-1] == "mixed"
    page.fill("#search", "MEETING gut")
    assert ids(page) == ["german"]
    page.fill("#search", "")
    page.select_option("#group", label="cmn-eng (1)")
    assert ids(page) == ["mixed"]
    page.click("#groups tbody button >> text=deu")
    assert ids(page) == ["german"]
    assert page.inner_text("#found").endswith("1 of 3 utterances")


def test_words_where_nothing_was_said_are_told_below_the_table(visit):
    page = visit(report(["a b"], wanted=[""], references=[Pairing("", "", (), "u")], meaning=False))
    assert "system 0: 2 words (2 letters) inserted in 1 utterance where nothing was said." in page.inner_text(
        "#systems-note"
    )
    assert page.locator("#systems tbody tr").count() == 3
    assert page.locator("#u0 .insert ins").first.inner_text() == "a b"


def test_a_point_leads_to_its_utterance_and_another_figure_can_be_chosen(visit):
    page = visit(report(OURS, OTHERS))
    page.click("#figures >> text=SAER")
    assert "SAER of each system" in page.inner_text("#found")
    page.fill("#search", "nothing like it")
    assert ids(page) == []
    page.locator("#scatter circle[data-place='0']").click()
    assert "mixed" in page.evaluate("document.activeElement.innerText")


def test_one_system_has_all_figures_in_columns_and_audio_plays_from_the_page(visit):
    page = visit(report(OURS, audio="data:audio/wav;base64,UklGRg=="))
    assert page.locator("#list thead th").all_inner_texts()[3:] == ["WER", "CER", "MER", "PIER", "SAER", "BLEU"]
    assert page.locator("audio[controls]").count() == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_quality_and_latency_is_seen_on_any_ground(visit, scheme):
    page = visit(timed(OURS, OTHERS), viewport={"width": 390, "height": 800}, color_scheme=scheme)
    picture = page.get_by_role("img", name="chrF against LAAL (s)")
    assert picture.is_visible()
    assert picture.locator("text.name").all_text_contents() == ["policy 0", "1"]
    ground, ink = (
        page.eval_on_selector(one, f"found => getComputedStyle(found).{name}")
        for one, name in (("section:has(#curve)", "backgroundColor"), ("#curve .name", "fill"))
    )
    light, dark = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ground, ink))
    assert (light - dark if scheme == "light" else dark - light) > 200
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_ten_thousand_utterances_are_shown_a_page_at_a_time_and_fit_a_narrow_screen(visit):
    names = [Pairing("", "", ("deu",), f"u{n}") for n in range(10_000)]
    wanted = [f"das ist satz {n}" for n in range(10_000)]
    shown = report([text.replace("ist", "war") for text in wanted], wanted=wanted, references=names, meaning=False)
    page = visit(shown, viewport={"width": 390, "height": 800}, color_scheme="dark")
    assert len(ids(page)) == 25
    assert page.inner_text("#page") == "Page 1 of 400"
    page.click("#after")
    assert page.inner_text("#page") == "Page 2 of 400"
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("#groups-section").is_hidden()
