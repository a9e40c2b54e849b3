"""Scores of a language model behind a real endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import speech.data.code_switching.llm_judge as module
from speech.data.code_switching.judges import WEIGHTS, RuleJudge
from speech.data.code_switching.llm_judge import LlmJudge
from speech.data.code_switching.mixture import Mixture, SentencePair
from speech.errors import ConfigError, SpeechError

WORDS = ("we see large houses near rivers", "wir sehen grosse haeuser nahe fluessen")
GOOD = {"fluency": 9, "naturalness": 8, "share": 9, "culture": 10, "worst_part": 1, "why": "the noun"}
RULES = RuleJudge({})


def mixture(place: int = 4) -> Mixture:
    links = frozenset((n, n) for n in range(6))
    parallel = SentencePair(("eng", "deu"), (tuple(WORDS[0].split()), tuple(WORDS[1].split())), links)
    return Mixture(parallel, ((place, place),), 0)


@dataclass
class Endpoint:
    """Answers with these, one after the other, the last again and again; a number is a status without scores."""

    answers: list[str | int]
    url: str = ""
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def judge(self, **options: Any) -> LlmJudge:
        return LlmJudge(f"{self.url}/v1", "a-model", RULES, **options)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setattr(module, "_WAIT_S", 0.01)
    known = Endpoint([json.dumps(GOOD)])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = known.answers[min(len(known.asked), len(known.answers) - 1)]
            known.asked.append((self.path, dict(self.headers), body))
            status = 404 if self.path != "/v1/chat/completions" else answer if isinstance(answer, int) else 200
            reply = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
            data = json.dumps(reply if status == 200 else {"error": "because"}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        known.url = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield known
        server.shutdown()
        serving.join()


def scored(**scores: object) -> str:
    return json.dumps(GOOD | scores)


def test_scores_of_the_model_are_the_verdict_where_they_are_lower_than_those_of_the_rules(endpoint: Endpoint) -> None:
    verdict = endpoint.judge().judge(mixture(), 1 / 3)
    assert verdict.scores == {"fluency": 9.0, "naturalness": 8.0, "share": 9.0, "culture": 10.0}
    assert verdict.accepted
    [fault] = verdict.faults
    assert (fault.part, fault.what, fault.points) == (1, "naturalness: the noun", 2.0)


def test_it_is_asked_for_the_parts_and_their_languages(endpoint: Endpoint) -> None:
    endpoint.judge(key="secret").judge(mixture(), 1 / 3)
    [(path, headers, body)] = endpoint.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer secret"
    assert (body["model"], body["temperature"]) == ("a-model", 0)
    said = body["messages"][0]["content"]
    for part in ("English", "German", '"we see large houses"', '"nahe fluessen"', "33%"):
        assert part in said


def test_without_a_key_none_is_sent_and_a_slash_behind_the_address_does_not_matter(endpoint: Endpoint) -> None:
    LlmJudge(f"{endpoint.url}/v1/", "a-model", RULES).judge(mixture(), 1 / 3)
    assert "Authorization" not in endpoint.asked[0][1]


@pytest.mark.parametrize("written", ["```json\n{}\n```", "Here you are:\n{}\nI hope that helps."])
def test_scores_may_stand_in_a_fence_or_between_words(endpoint: Endpoint, written: str) -> None:
    endpoint.answers = [written.replace("{}", scored(fluency=3))]
    verdict = endpoint.judge().judge(mixture(), 1 / 3)
    assert verdict.scores["fluency"] == 3.0


@pytest.mark.parametrize(
    "rubbish",
    [
        "I would say nine",
        "{}",
        "[9, 9]",
        "9",
        "",
        scored(share=None),
        scored(share="good"),
        scored(share=float("nan")),
        scored(share=float("inf")),
    ],
)
def test_an_answer_without_scores_is_an_error_that_names_the_endpoint(endpoint: Endpoint, rubbish: str) -> None:
    endpoint.answers = [rubbish]
    with pytest.raises(SpeechError, match="no scores") as error:
        endpoint.judge().judge(mixture(), 1 / 3)
    assert error.value.where == f"{endpoint.url}/v1/chat/completions"
    assert len(endpoint.asked) == 1


def test_scores_out_of_range_and_parts_that_are_none_are_brought_into_it(endpoint: Endpoint) -> None:
    endpoint.answers = [scored(fluency=-3, culture="11", worst_part=7)]
    verdict = endpoint.judge().judge(mixture(), 1 / 3)
    assert (verdict.scores["fluency"], verdict.scores["culture"]) == (0.0, 10.0)
    assert verdict.faults[0].part == 0


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_endpoint_that_is_busy_is_asked_again(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [status, status, json.dumps(GOOD)]
    assert endpoint.judge().judge(mixture(), 1 / 3).accepted
    assert len(endpoint.asked) == 3
    assert endpoint.asked[0][2] == endpoint.asked[2][2]


def test_an_endpoint_that_stays_broken_is_an_error(endpoint: Endpoint) -> None:
    endpoint.answers = [500]
    with pytest.raises(SpeechError, match=r"answers 500.*because"):
        endpoint.judge().judge(mixture(), 1 / 3)
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_not_asked_again(endpoint: Endpoint, status: int) -> None:
    endpoint.answers = [status]
    with pytest.raises(SpeechError, match=f"answers {status}.*key"):
        endpoint.judge(key="wrong").judge(mixture(), 1 / 3)
    assert len(endpoint.asked) == 1


def test_nobody_at_the_address_is_an_error_and_an_address_that_is_none_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT_S", 0.01)
    with pytest.raises(SpeechError, match="does not answer"):
        LlmJudge("http://127.0.0.1:1/v1", "a-model", RULES).judge(mixture(), 1 / 3)
    with pytest.raises(ConfigError, match="no URL"):
        LlmJudge("localhost:8000", "a-model", RULES)


def test_what_the_rules_refuse_is_not_asked(endpoint: Endpoint) -> None:
    links = frozenset((n, 5 - n) for n in range(6))
    refused = Mixture(SentencePair(("eng", "deu"), mixture().parallel.words, links), ((3, 3),), 0)
    assert endpoint.judge().judge(refused, 1 / 3) == RULES.judge(refused, 1 / 3)
    assert not endpoint.asked


def test_the_stricter_of_both_counts(endpoint: Endpoint) -> None:
    endpoint.answers = [json.dumps(dict.fromkeys(WEIGHTS, 10)), json.dumps(dict.fromkeys(WEIGHTS, 7))]
    faulty = mixture(3)
    assert RULES.judge(faulty, 0.3).total < 10.0
    judge = endpoint.judge()
    assert judge.judge(faulty, 0.3) == RULES.judge(faulty, 0.3)
    assert judge.judge(faulty, 0.3).total == pytest.approx(7.0)


def test_an_aspect_that_the_model_forbids_is_forbidden_though_its_total_is_higher(endpoint: Endpoint) -> None:
    endpoint.answers = [json.dumps({"fluency": 10, "naturalness": 10, "share": 1.9, "culture": 10})]
    links = frozenset((n, n) for n in range(6) if n not in (2, 3))
    faulty = Mixture(SentencePair(("eng", "deu"), mixture().parallel.words, links), ((3, 3),), 0)
    ruled = RULES.judge(faulty, 0.25)
    assert ruled.accepted
    assert ruled.total < 8.38
    assert not endpoint.judge().judge(faulty, 0.25).accepted
