"""What `speech adapters --server` asks of a server, and what it says of answers that are none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from speech.cli.adapter_server import AdapterServer
from speech.errors import ConfigError, SpeechError
from tests.models.adapters.test_file import made, saved

BASE = "0" * 64


class Answers(BaseHTTPRequestHandler):
    """Writes down what is asked, and answers with what is prepared for its method."""

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers["Authorization"], len(body)))
        code, text = self.server.prepared[self.command]
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_PUT = do_DELETE = do_GET

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as found:
        found.asked, found.prepared = [], {}
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def address(server) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


def listing(**changed: object) -> tuple[int, bytes]:
    told = {"data": [], "base": BASE, "changeable": True, "max_bytes": 1 << 30} | changed
    return 200, json.dumps(told).encode()


@pytest.mark.parametrize("url", ["http://{}", "ws://{}/v1/stream", "http://{}/v1/"])
def test_any_address_of_the_server_leads_to_its_adapters(server, url):
    server.prepared["GET"] = listing()
    assert AdapterServer(url.format(address(server)), "key").listing()["base"] == BASE
    assert server.asked == [("GET", "/v1/adapters", "Bearer key", 0)]


def test_an_adapter_is_removed_by_its_code(server):
    server.prepared["DELETE"] = 200, b"{}"
    AdapterServer(f"http://{address(server)}").remove("a/b")
    assert server.asked == [("DELETE", "/v1/adapters/a%2Fb", None, 0)]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>"), "is not a speech server"),
        ((200, b"[]"), "is not a speech server"),
        ((200, b"{}"), "is not a speech server"),
        ((403, b'{"error": {"message": "a key is needed"}}'), "a key is needed"),
        ((404, b"nothing here"), "answers 404 Not Found"),
    ],
)
def test_what_is_no_list_of_adapters_is_said(server, answer, said):
    server.prepared["GET"] = answer
    with pytest.raises(SpeechError, match=f"/v1/adapters: {said}"):
        AdapterServer(f"http://{address(server)}").listing()


def test_where_nobody_listens_that_is_said(server):
    url = f"http://{address(server)}"
    server.server_close()
    server.shutdown()
    with pytest.raises(SpeechError, match=address(server)):
        AdapterServer(url).listing()
    with pytest.raises(ConfigError):
        AdapterServer("file:///tmp")


@pytest.mark.parametrize(
    ("has", "force", "said"),
    [
        ({"base": "f" * 64}, False, "is for another model: trained behind 000000000000, the server's is ffffffffffff"),
        ({"changeable": False}, True, "does not allow changes to its adapters"),
        ({"max_bytes": 10}, True, "bytes, the server takes 10"),
        ({"data": [{"code": "lad"}]}, False, "the server has an adapter for 'lad' already"),
    ],
)
def test_what_the_server_would_not_take_is_not_sent(server, tmp_path, has, force, said):
    server.prepared["GET"] = listing(**has)
    path = saved(tmp_path / "lad.safetensors", made("lad"))
    with pytest.raises(SpeechError, match=said):
        AdapterServer(f"http://{address(server)}").add(path, force=force)
    assert [method for method, *_ in server.asked] == ["GET"]


def test_what_it_takes_is_sent_whole(server, tmp_path):
    server.prepared |= {"GET": listing(data=[{"code": "lad"}]), "PUT": (200, b'{"code": "lad"}')}
    path = saved(tmp_path / "lad.safetensors", made("lad"))
    assert AdapterServer(f"http://{address(server)}").add(path, force=True) == {"code": "lad"}
    assert server.asked[-1] == ("PUT", "/v1/adapters/lad", None, path.stat().st_size)
