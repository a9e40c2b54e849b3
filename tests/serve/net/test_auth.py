"""Keys, tokens of browsers, and origins."""

import math
import time

import pytest

from serve.config import ServeConfig
from serve.net.auth import Authenticator, subprotocols

OPEN = Authenticator(ServeConfig())
LOCKED = Authenticator(ServeConfig(api_keys=["one", "two"], origins=["https://app.example"]))


def status(auth: Authenticator, headers: dict[str, str], query: dict[str, str] | None = None) -> int:
    denied = auth.check(headers, query or {})
    return 200 if denied is None else denied.status


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer one"},
        {"authorization": "bearer two"},
        {"authorization": "Token two"},
        {"x-api-key": "one"},
        {"xi-api-key": "two"},
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
    assert status(Authenticator(ServeConfig(api_keys=["one"])), {}, {"token": secret}) == 401
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert status(LOCKED, {}, {"token": secret}) == 401


def test_a_client_secret_passes_at_every_worker_that_has_the_same_keys():
    secret, _ = LOCKED.client_secret(30)
    assert status(Authenticator(ServeConfig(api_keys=["two", "one"])), {}, {"token": secret}) == 200


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
    assert status(Authenticator(ServeConfig(origins=["*"])), other) == 200


def test_subprotocols_are_listed():
    assert subprotocols({"sec-websocket-protocol": "a, b,c"}) == ["a", "b", "c"]
    assert subprotocols({}) == []


# Tokens are no keys


def test_a_token_does_nothing_over_http():
    token, _ = LOCKED.client_secret(30)
    denied = LOCKED.check_http({"authorization": f"Bearer {token}"})
    assert denied is not None
    assert (denied.status, denied.code) == (403, "forbidden")
    for headers in ({}, {"authorization": "Bearer ek_1.2.3"}, {"authorization": "Bearer three"}):
        refused = LOCKED.check_http(headers)
        assert refused is not None
        assert refused.status == 401
    assert LOCKED.check_http({"authorization": "Bearer one"}) is None
    assert OPEN.check_http({}) is None


def test_a_token_that_has_expired_opens_nothing_but_the_way_back_to_a_session(monkeypatch):
    token, expires = LOCKED.client_secret(30)
    assert LOCKED.until({}, {"token": token}) == expires
    assert LOCKED.until({"authorization": f"Bearer {token}"}, {}) == expires
    assert LOCKED.until({"authorization": "Bearer one"}, {}) == OPEN.until({}, {}) == math.inf
    assert LOCKED.until({}, {"token": token[:-2]}) == LOCKED.until({}, {}) == 0
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert LOCKED.check({}, {"token": token}) is not None
    assert LOCKED.check({}, {"token": token}, returning=True) is None
    assert LOCKED.check({}, {"token": token[:-2]}, returning=True) is not None
    assert LOCKED.check({}, {}, returning=True) is not None


# Names of the server


@pytest.mark.parametrize("check", [lambda h: OPEN.check(h, {}), OPEN.check_http], ids=["websocket", "http"])
def test_a_page_that_had_its_name_resolved_to_this_machine_is_refused(check):
    denied = check({"origin": "http://evil.example:8000", "host": "evil.example:8000"})
    assert denied is not None
    assert (denied.status, denied.code) == (403, "host")
    assert "SPEECH_ALLOWED_HOSTS" in denied.message
    assert check({"host": "evil.example:8000"}) is not None  # a page's GET has no origin
    assert check({"host": "localhost:8000", "origin": "http://localhost:8000"}) is None
    assert check({"host": "[::1]:8000", "origin": "http://[::1]:8000"}) is None
    assert check({"host": "10.0.0.5:8000", "origin": "http://10.0.0.5:8000"}) is None


def test_a_name_may_be_allowed_and_who_has_a_key_and_is_no_page_may_use_any():
    named = Authenticator(ServeConfig(allowed_hosts=["speech.example.org"]))
    public = {"origin": "https://speech.example.org", "host": "speech.example.org"}
    assert status(named, public) == 200
    assert status(OPEN, public) == 403
    assert status(Authenticator(ServeConfig(allowed_hosts=["*"])), public) == 200
    assert status(LOCKED, {"host": "worker-a:8000", "authorization": "Bearer one"}) == 200
    assert status(LOCKED, {"host": "worker-a:8000"}) == 403
    assert status(LOCKED, public | {"authorization": "Bearer one"}) == 403
    token, _ = LOCKED.client_secret(30)
    assert status(LOCKED, {"host": "worker-a:8000"}, {"token": token}) == 403


def test_long_headers_are_not_repeated_in_full():
    for headers in ({"host": "a" * 60_000}, {"host": "localhost", "origin": "http://" + "a" * 60_000}):
        denied = OPEN.check(headers, {})
        assert denied is not None
        assert len(denied.message) < 300
