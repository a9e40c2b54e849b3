"""A chat endpoint on a free port: a real HTTP server that translates word by word, or fails as it is told."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]
"""Status and body."""


def shouted(asked: dict[str, Any]) -> Answer:
    """The "translation" of every word is the same in capitals, with the language in front: FRENCH:DOG."""
    language = asked["messages"][0]["content"].partition(" into ")[2].partition(".")[0]
    text = " ".join(f"{language}:{word}" for word in asked["messages"][1]["content"].split()).upper()
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


@dataclass
class ChatServer:
    """What it was asked, and how it answers."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answer: Callable[[dict[str, Any]], Answer] = shouted
    delay_s: float = 0.0
    location: str | None = None
    """Where redirects lead."""


@contextmanager
def chatting() -> Iterator[ChatServer]:
    """A server for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append(asked)
            found.headers.append(dict(self.headers.items()))
            found.paths.append(self.path)
            time.sleep(found.delay_s)
            status, body = found.answer(asked)
            try:
                self.send_response(status)
                if found.location is not None:
                    self.send_header("Location", found.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the client has gone
                return

        def do_GET(self) -> None:
            found.paths.append(self.path)
            self.send_error(405)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = ChatServer(f"http://127.0.0.1:{server.server_address[1]}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
