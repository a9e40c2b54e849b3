"""Keys, tokens of browsers, and origins."""

import time

import pytest

from serve.auth import Gate, subprotocols
from serve.config import ServeConfig

OPEN = Gate(ServeConfig())
LOCKED = Gate(ServeConfig(api_keys=["one", "two"], origins=["https://app.example"]))


def status(gate: Gate, headers: dict[str, str], query: dict[str, str] | None = None) -> int:
    denied = gate.check(headers, query or {})
    return 200 if denied is None else denied.status


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer one"},
        {"authorization": "bearer two"},
        {"authorization": "Token two"},
        {"x-api-key": "one"},
        {"sec-websocket-protocol": "speech.v1, bearer.two"},
        {"sec-websocket-protocol": "realtime, openai-insecure-api-key.one"},
        {"sec-websocket-protocol": "token, two"},
    ],
)
def test_a_key_may_come_in_the_ways_that_clients_know(headers):
    assert status(LOCKED, headers) == 200


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer three"}, {"authorization": "Basic one"}, {"x-api-key": ""}, {"x-api-key": "öne"}],
)
def test_without_a_key_nobody_passes_where_there_are_keys(headers):
    assert status(LOCKED, headers) == 401
    assert status(OPEN, headers) == 200


def test_a_key_in_the_address_is_not_taken():
    assert status(LOCKED, {}, {"token": "one"}) == 401


def test_a_client_secret_passes_until_it_expires(monkeypatch):
    secret, expires = LOCKED.client_secret(30)
    assert 25 <= expires - time.time() <= 31
    assert status(LOCKED, {}, {"token": secret}) == 200
    assert status(LOCKED, {"authorization": f"Bearer {secret}"}) == 200
    assert status(LOCKED, {}, {"token": secret[:-1] + ("A" if secret[-1] != "A" else "B")}) == 401
    assert status(Gate(ServeConfig(api_keys=["one"])), {}, {"token": secret}) == 401
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert status(LOCKED, {}, {"token": secret}) == 401


def test_a_client_secret_passes_at_every_worker_that_has_the_same_keys():
    secret, _ = LOCKED.client_secret(30)
    assert status(Gate(ServeConfig(api_keys=["two", "one"])), {}, {"token": secret}) == 200


def test_a_client_secret_lives_for_ten_minutes_at_most():
    assert LOCKED.client_secret(10**9)[1] - time.time() <= 601


def test_a_client_secret_is_no_key():
    secret, _ = LOCKED.client_secret(30)
    assert LOCKED.has_key({"authorization": "Bearer one"})
    assert not LOCKED.has_key({"authorization": f"Bearer {secret}"})
    assert not LOCKED.has_key({})
    assert OPEN.has_key({})


def test_pages_of_other_origins_may_not_connect():
    own = {"origin": "http://localhost:8000", "host": "localhost:8000"}
    other = {"origin": "https://evil.example", "host": "localhost:8000"}
    assert status(OPEN, own) == 200
    assert status(OPEN, other) == 403
    assert status(LOCKED, {"origin": "https://app.example", "x-api-key": "one"}) == 200
    assert status(Gate(ServeConfig(origins=["*"])), other) == 200


def test_subprotocols_are_listed():
    assert subprotocols({"sec-websocket-protocol": "a, b,c"}) == ["a", "b", "c"]
    assert subprotocols({}) == []
