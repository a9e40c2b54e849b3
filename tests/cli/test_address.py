"""Addresses of servers, of `speech stream` and `speech adapters --server`."""

import socket
import ssl
import threading
from collections.abc import Iterator
from urllib.error import URLError

import pytest
from typer.testing import CliRunner

from speech.cli.address import parse_address, unreachable
from speech.cli.app import app
from speech.errors import ConfigError, SpeechError
from tests.conftest import RARE

ODD = [
    "", "nonsense", "ws://[", "ws://", "wss://", "ws:///v1/stream", "ws://127.0.0.1:x/", "ws://127.0.0.1:99999/",
    "ws://127.0.0.1:0/", "ws://a b/", "ws://a\n/", "ws://é\0/", "ws://.../", f"ws://{'a' * 300}/", "file:///etc/passwd",
    "ws://127.0.0.1:9/v1/stream#x", "ws://[::1]x/", "ftp://127.0.0.1/", "ws://" + "\u202e.example/",
]  # fmt: skip


@pytest.mark.parametrize("url", ODD)
def test_an_odd_address_is_one_line_of_every_command(url):
    for command in (["stream", str(RARE), "--url", url], ["adapters", "list", "--server", url]):
        error = CliRunner().invoke(app, command).exception
        assert isinstance(error, ConfigError), command
        assert "is not the address of a server" in str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 400


def test_a_good_address_is_taken_apart():
    parts = parse_address("ws://user@[::1]:8000/v1/stream?x=y", ["ws"], "")
    assert (parts.hostname, parts.port, parts.path) == ("::1", 8000, "/v1/stream")
    assert parse_address("ws://exämple.org/x", ["ws"], "").hostname == "exämple.org"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "cannot be reached: connection refused"),
        (URLError(ConnectionRefusedError(111, "Connection refused")), "cannot be reached: connection refused"),
        (OSError("two\nlines"), "cannot be reached: two"),
        (TimeoutError(), "cannot be reached: timeouterror"),
    ],
)
def test_what_the_system_says_is_one_line(error, text):
    assert str(unreachable(error, "here")) == f"here: {text}. Is it running?"


@pytest.fixture
def plain() -> Iterator[int]:
    """A server that answers everything in plain text with a page."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_server_of_another_kind_is_said_to_be_one(plain):
    said = {
        ("stream", str(RARE), "--url", f"ws://127.0.0.1:{plain}/"): "refused the connection, 200: <html>",
        ("stream", str(RARE), "--url", f"wss://127.0.0.1:{plain}/"): "does not use TLS",
        ("adapters", "list", "--server", f"http://127.0.0.1:{plain}"): "is not a speech server",
        ("adapters", "list", "--server", f"https://127.0.0.1:{plain}"): "does not use TLS",
    }
    for command, text in said.items():
        error = CliRunner().invoke(app, list(command)).exception
        assert isinstance(error, SpeechError), command
        assert text in str(error)
        assert "\n" not in str(error)


def test_a_certificate_that_is_not_trusted_is_said_to_be_none():
    error = ssl.SSLCertVerificationError(1, "x")
    error.verify_message = "self-signed certificate"
    assert "its certificate is not trusted: self-signed certificate" in str(unreachable(error, "here"))
