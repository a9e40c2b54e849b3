"""Requests to chat endpoints, against real sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from speech.chat_requests import ChatEndpoint, ChatRequest, ChatRequestError
from speech.errors import ConfigError
from tests.chat_server import chatting

KEY = "sk-very-secret"
SOON_S = 0.1
"""Within this a cancelled request ends."""


def endpoint(url: str, key: str | None = KEY) -> ChatEndpoint:
    return ChatEndpoint.below(url, key, owner="a tester", example="http://host/v1", variable="TEST_KEY")


def body(url: str, timeout_s: float = 5.0) -> bytes:
    with closing(ChatRequest(endpoint(url), {"a": "é"}, timeout_s)) as request:
        return b"".join(iter(request.read, b""))


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The host and port of a server that handles one connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(timeout=10)
        assert not thread.is_alive()


def cancelled(scheme: str, begin: bytes = b"", reads: int = 0) -> tuple[float, float]:
    """Seconds until the server and the reader know that a request was closed.

    Args:
        scheme: of the address.
        begin: what the server sends before it waits for the end.
        reads: how often something is read before the read that waits.
    """
    asked = threading.Event()
    ends: dict[str, float] = {}

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(begin)
        asked.set()
        while connection.recv(65_536):
            pass
        ends["server"] = time.monotonic()

    def read() -> None:
        for _ in range(reads):
            assert request.read() != b""
        assert request.read() == b""
        ends["reader"] = time.monotonic()

    with listening(serve) as host:
        request = ChatRequest(endpoint(f"{scheme}://{host}/v1"), {}, timeout_s=30.0)
        reader = threading.Thread(target=read)
        reader.start()
        assert asked.wait(10)
        time.sleep(0.05)  # so that it waits
        begun_s = time.monotonic()
        request.close()
        reader.join(timeout=10)
        assert request.read() == b""
    return ends["server"] - begun_s, ends["reader"] - begun_s


@pytest.mark.parametrize(
    ("scheme", "begin", "reads"),
    [
        ("http", b"", 0),
        ("http", b"HTTP/1.1 200 OK\r\nContent-", 0),
        ("http", b"HTTP/1.1 200 OK\r\n\r\nsome", 1),
        ("http", b"HTTP/1.1 500 Oh\r\nContent-Length: 9\r\n\r\nsome", 0),
        ("https", b"", 0),
    ],
    ids=["before a status", "within headers", "within a body", "within a refusal", "within a handshake of TLS"],
)
def test_a_request_is_closed_by_another_thread_at_once(scheme, begin, reads):
    tries = (max(cancelled(scheme, begin, reads)) for _ in range(5))
    assert any(seconds < SOON_S for seconds in tries)  # a busy machine may be late once


def test_a_request_that_was_closed_before_is_not_sent():
    with chatting() as server:
        request = ChatRequest(endpoint(server.url), {}, timeout_s=5.0)
        request.close()
        request.close()
        assert request.closed
        assert request.read() == b""
        assert server.asked == []


def test_a_request_that_is_closed_while_it_connects_is_not_sent(monkeypatch):
    connect = socket.create_connection

    def slow(*arguments, **options):
        connection = connect(*arguments, **options)
        request.close()
        return connection

    monkeypatch.setattr(socket, "create_connection", slow)
    with chatting() as server:
        request = ChatRequest(endpoint(server.url), {}, timeout_s=5.0)
        assert request.read() == b""
        assert server.asked == []


def test_pieces_are_read_as_they_come():
    with chatting() as server:
        server.stream = lambda _: [b"one", 0.2, b"two"]
        with closing(ChatRequest(endpoint(server.url), {"a": "é"}, timeout_s=5.0)) as request:
            assert [request.read() for _ in range(3)] == [b"one", b"two", b""]
        assert server.asked == [{"a": "é"}]
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_silence_within_a_body_is_an_error():
    with chatting() as server:
        server.stream = lambda _: [b"one", 5.0]
        with pytest.raises(ChatRequestError, match=r"sends nothing for 0\.2 s"):
            body(server.url, timeout_s=0.2)


def test_a_body_that_breaks_off_is_an_error():
    with chatting() as server:
        server.stream = lambda _: [b"one", None]
        with pytest.raises(ChatRequestError, match="breaks off within its answer"):
            body(server.url)


def test_a_connection_without_an_answer_is_named():
    with listening(lambda connection: connection.recv(65_536)) as host:  # noqa: SIM117
        with pytest.raises(ChatRequestError, match="closes the connection without an answer") as caught:
            body(f"http://{host}/v1")
    assert caught.value.lasting


@pytest.mark.parametrize(("status", "lasting"), [(400, False), (401, True), (404, True), (429, True), (503, True)])
def test_which_refusals_last(status, lasting):
    with chatting() as server:
        server.answer = lambda _: (status, b"{}")
        with pytest.raises(ChatRequestError, match=f"answers {status}") as caught:
            body(server.url)
    assert caught.value.lasting is lasting


def test_a_key_that_a_shortened_reason_would_cut_is_hidden():
    said = "a" * 192 + f" {KEY}"
    with chatting() as server:
        server.answer = lambda _: (401, b'{"error": "%b"}' % said.encode())
        with pytest.raises(ChatRequestError) as caught:
            body(server.url)
    assert "sk" not in caught.value.what
    assert caught.value.what.endswith("a ...")


@pytest.mark.parametrize("key", ["sk-1\n", "sk 1", "sk-é"])
def test_a_key_that_no_header_can_have_is_refused_and_not_repeated(key):
    with pytest.raises(
        ConfigError, match=r"a tester's key has characters that no key has\. Give it in TEST_KEY"
    ) as caught:
        endpoint("http://host/v1", key)
    assert key not in str(caught.value)
    assert key not in repr(ChatEndpoint("http://host", key))


@pytest.mark.parametrize("url", ["host/v1", "http://", "ftp://host/v1", "http://host/v1?key=1", "http://ho st/v1"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigError, match=r"a tester's address that is none\. E\.g\. http://host/v1"):
        endpoint(url)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="TEST_KEY") as caught:
        endpoint("http://me:hidden@host/v1")
    assert "hidden" not in str(caught.value)
