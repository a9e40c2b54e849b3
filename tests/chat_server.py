"""A chat endpoint on a free port: a real HTTP server that translates word by word, streams, or fails as it is told."""

import json
import queue
import select
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]
"""Status and body."""
Step = bytes | float | None
"""Of a stream: bytes to send at once, seconds to wait, or None: the connection breaks off."""


def event(record: object) -> bytes:
    """A server-sent event."""
    return f"data: {json.dumps(record)}\n\n".encode()


def delta(text: str | None = None, finish: str | None = None, **more: Any) -> bytes:
    """The event of a piece of an answer."""
    said = {} if text is None else {"content": text}
    return event({"choices": [{"index": 0, "delta": {**said, **more}, "finish_reason": finish}]})


DONE = b"data: [DONE]\n\n"


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
    stream: Callable[[dict[str, Any]], Iterable[Step]] | None = None
    """Answers as a stream; None: as `answer` says."""
    gone: queue.Queue[float] = field(default_factory=queue.Queue)
    """When clients closed their connections while the stream waited, on the clock `time.monotonic`."""


@contextmanager
def chatting() -> Iterator[ChatServer]:
    """A server for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append(asked)
            found.headers.append(dict(self.headers.items()))
            found.paths.append(self.path)
            time.sleep(found.delay_s)
            try:
                if found.stream is not None:
                    self.send_stream(found.stream(asked))
                    return
                status, body = found.answer(asked)
                self.send_response(status)
                if found.location is not None:
                    self.send_header("Location", found.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # the client has gone
                return

        def send_stream(self, steps: Iterable[Step]) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for step in steps:
                if step is None:
                    return
                if isinstance(step, bytes):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(step), step))
                elif select.select([self.connection], [], [], step)[0]:  # nothing but an end can come
                    found.gone.put(time.monotonic())
                    return
            self.wfile.write(b"0\r\n\r\n")

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
