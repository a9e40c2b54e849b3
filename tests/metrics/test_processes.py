"""Scoring in several processes is scoring in one, sooner."""

import random
import subprocess
import sys

import pytest

from speech.errors import DataError, SpeechError
from speech.metrics import processes
from speech.metrics.processes import score_utterances
from speech.metrics.utterance import Pairing


def pairings(count, bad=()):
    rng = random.Random(0)
    words = ["so", "das", "Meeting,", "我们", "去", "don't", "naïve"]
    found = []
    for number in range(count):
        said, heard = ([rng.choice(words) for _ in range(rng.randint(0, 9))] for _ in range(2))
        languages = rng.choice([(), ("eng",), ("cmn", "eng"), ("deu", "eng")])
        known = tuple((word, rng.choice(["eng", "cmn", None])) for word in said) if number % 3 else ()
        known = (("nothing", "eng"),) if number in bad else known
        found.append(Pairing(" ".join(said), " ".join(heard), languages, f"u{number}", known))
    return found


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(processes, "CHUNK", 40)


@pytest.mark.usefixtures("short")
def test_several_processes_find_what_one_finds_in_order_and_tell_how_far_they_are():
    cases, told = pairings(330), []
    found = score_utterances(cases, 2, lambda done, total: told.append((done, total)))
    assert found == score_utterances(cases, 1)
    assert [one.id for one in found] == [f"u{number}" for number in range(330)]
    assert told == [*((done, 330) for done in range(40, 330, 40)), (330, 330)]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.usefixtures("short")
def test_the_first_error_reaches_the_caller_as_it_is(processes):
    with pytest.raises(DataError, match="u130: its words are not those of its text") as raised:
        score_utterances(pairings(300, bad=(130, 200)), processes)
    assert raised.value.where == "u130"


@pytest.mark.usefixtures("short")
def test_a_process_that_ends_early_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr(processes, "_START", "raise SystemExit(3)")
    with pytest.raises(SpeechError, match="a process that scores ended with code"):
        score_utterances(pairings(100), 2)


def test_few_utterances_start_no_process(monkeypatch):
    monkeypatch.setattr(processes, "_Scorer", None)
    assert len(score_utterances(pairings(50))) == 50
    assert score_utterances([]) == []


def test_many_utterances_are_shared_among_cores(monkeypatch):
    asked = []
    monkeypatch.setattr(processes, "MANY", 20)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 16)
    monkeypatch.setattr(processes, "_scored_apart", lambda chunks, processes: asked.append(processes) or [])
    score_utterances(pairings(21))
    assert asked == [4]


def test_what_a_process_imports_is_light():
    heavy = "import sys, speech.metrics.processes; sys.exit(bool({'torch', 'huggingface_hub'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", heavy], check=False).returncode == 0
