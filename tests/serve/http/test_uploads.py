"""Files over HTTP under limits: bytes, seconds, how many at once, how slow; each is known to the client as an error."""

import asyncio
import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from serve.http import uploads
from serve.http.errors import Failure
from serve.http.uploads import UploadSlots
from tests.serve.conftest import Running, running

PATH = "/v1/audio/transcriptions"
MOST_BYTES, MOST_S = 1_000_000, 20.0


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    """A server that takes little."""
    with running(max_uploads=2, max_upload_bytes=MOST_BYTES, max_upload_s=MOST_S) as found:
        yield found


@pytest.fixture
def recogniser(small: Running) -> Any:
    return small.server.config.app.state.parts.recognizer


def audio(seconds: float, format: str = "FLAC", rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(int(seconds * rate), np.int16), rate, format=format, subtype="PCM_16")
    return file.getvalue()


def post(server: Running, data: bytes, name: str = "a.flac", **form: Any) -> httpx.Response:
    return httpx.post(server.http + PATH, files={"file": (name, data)}, data=form, timeout=60)


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    found = answer.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert found["type"] == ("server_error" if answer.status_code >= 500 else "invalid_request_error")
    return answer.status_code, found["code"], found["param"]


@contextmanager
def opened(server: Running, *parts: bytes, **headers: Any) -> Iterator[socket.socket]:
    """A request of which so much has been said."""
    with socket.create_connection(("127.0.0.1", server.port), 20) as one:
        fields = {"Host": "localhost", "Content-Type": "multipart/form-data; boundary=b"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        lines = [f"POST {PATH} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        one.sendall("\r\n".join(lines).encode() + b"".join(parts))
        yield one


def heard(one: socket.socket) -> httpx.Response:
    """The answer to it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += one.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    while len(body) < int(headers["content-length"]):
        body += one.recv(65536)
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


def until(what: Any, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def places(server: Running) -> UploadSlots:
    [found] = {
        route.endpoint.__self__.places
        for route in server.server.config.app.routes
        if getattr(route, "path", "") == PATH
    }
    return found


BEGUN = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF'


# Limits


def test_little_bytes_of_much_audio_are_refused_by_their_seconds(small: Running):
    bomb = audio(600)
    assert len(bomb) < 60_000
    answer = post(small, bomb)
    assert error(answer) == (413, "too_long", "file")
    assert "a.flac: has more than 20 s" in answer.json()["error"]["message"]
    assert post(small, audio(MOST_S)).status_code == 200


def test_a_length_that_a_header_only_claims_is_not_believed(small: Running):
    claims = bytearray(audio(3, "WAV"))
    claims[4:8] = claims[40:44] = (0x7FFF_FFFF).to_bytes(4, "little")  # as a recorder leaves it that writes to a pipe
    assert post(small, bytes(claims), "a.wav").status_code == 200


def test_audio_is_decoded_by_seconds_not_whole(small: Running, recogniser, monkeypatch):
    sizes: list[int] = []
    transcribe = recogniser.transcribe

    def measured(blocks: Iterator[np.ndarray], **options: Any) -> Any:
        return transcribe((sizes.append(len(block)) or block for block in blocks), **options)

    monkeypatch.setattr(recogniser, "transcribe", measured)
    assert post(small, audio(15, rate=8000)).status_code == 200
    assert sum(sizes) == 15 * 16_000
    assert max(sizes) <= 3 * 16_000


def test_sizes_of_blocks_do_not_change_the_text(small: Running, recogniser, clip, tmp_path):
    path = tmp_path / "a.flac"
    stereo = np.stack([clip, clip], axis=1)
    soundfile.write(path, stereo, 22_050, subtype="PCM_16")
    assert post(small, path.read_bytes()).json()["text"] == recogniser.transcribe(path).text != ""


def test_a_file_that_is_said_to_be_too_large_is_refused_before_it_is_sent(small: Running):
    with opened(small, Content_Length=10 * MOST_BYTES + (1 << 21)) as one:
        assert error(heard(one)) == (413, "too_large", None)


def test_a_file_that_turns_out_to_be_too_large_is_refused_while_it_comes(small: Running):
    with opened(small, Transfer_Encoding="chunked") as one:
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        one.sendall(f"{len(BEGUN):x}\r\n".encode() + BEGUN + b"\r\n")
        for _ in range((MOST_BYTES + (1 << 20)) // 65536 + 2):
            one.sendall(piece)
        assert error(heard(one)) == (413, "too_large", None)
    until(lambda: len(places(small)) == 0)
    assert error(post(small, b"x" * (MOST_BYTES + 1000))) == (413, "too_large", "file")


def test_more_files_than_there_are_places_for_are_told_to_come_back(small: Running):
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(opened(small, BEGUN, Content_Length=5000))
        until(lambda: len(places(small)) == 2)
        one = stack.enter_context(opened(small, Content_Length=5000))  # nothing of its body has been sent
        answer = heard(one)
        assert error(answer) == (429, "too_many_uploads", None)
        assert int(answer.headers["retry-after"]) > 0
    until(lambda: len(places(small)) == 0)  # those that have gone leave theirs
    assert post(small, audio(1)).status_code == 200


def test_a_file_that_trickles_loses_its_place(small: Running, monkeypatch):
    monkeypatch.setattr(uploads, "_PATIENCE_S", 0.3)
    with opened(small, BEGUN, Content_Length=5000) as one:
        assert error(heard(one)) == (408, "too_slow", None)
    until(lambda: len(places(small)) == 0)


# Clients that go


def test_who_goes_while_its_file_waits_or_is_heard_leaves_its_place(small: Running, recogniser, monkeypatch):
    hold, begun, blocks_heard = threading.Event(), threading.Event(), []

    def slow(blocks: Iterator[np.ndarray], **options: Any) -> None:
        begun.set()
        hold.wait(30)
        blocks_heard.extend(blocks)

    monkeypatch.setattr(recogniser, "transcribe", slow)
    with ExitStack() as first, ExitStack() as second:
        data = BEGUN.removesuffix(b"RIFF") + audio(15, "WAV") + b"\r\n--b--\r\n"
        first.enter_context(opened(small, data, Content_Length=len(data)))
        assert begun.wait(30)
        second.enter_context(opened(small, data, Content_Length=len(data)))
        until(lambda: len(places(small)) == 2)
        until(lambda: small.server.config.app.state.parts.pools.files._work_queue.qsize() == 1)
        second.close()
        until(lambda: len(places(small)) == 1)  # it waited; nothing of it has begun
        first.close()
        time.sleep(0.3)
        hold.set()
    until(lambda: len(places(small)) == 0)
    assert len(blocks_heard) <= 1


# Mistakes


def test_an_exception_of_one_file_is_an_answer_and_the_next_file_is_heard(
    small: Running, recogniser, monkeypatch, caplog
):
    def fail(blocks: Iterator[np.ndarray], **options: Any) -> None:
        raise ZeroDivisionError("a secret")

    caplog.set_level(logging.ERROR, "serve.protocols.openai_http")
    with monkeypatch.context() as patch:
        patch.setattr(recogniser, "transcribe", fail)
        answer = post(small, audio(1))
    assert error(answer) == (500, "internal", "file")
    assert "a.flac" in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    assert "ZeroDivisionError: a secret" in caplog.text
    assert len(places(small)) == 0
    assert post(small, audio(1)).status_code == 200


@pytest.mark.parametrize(
    ("files", "form", "expected"),
    [
        ([], {"model": "whisper-1"}, (400, "bad_form", None)),  # urlencoded
        ([("other", ("a", b"x"))], {}, (400, "bad_form", "other")),
        ([("file", ("a", b"x")), ("file", ("b", b"x"))], {}, (400, "bad_form", None)),
        ([("file", (None, b"text"))], {}, (400, "missing_file", "file")),
        ([("model", (None, b"whisper-1"))], {}, (400, "missing_file", "file")),
        ([("file", ("a", b"x"))], {f"f{n}": "x" for n in range(100)}, (400, "bad_form", None)),
        ([("file", ("a", b"x"))], {"prompt": "x" * 100_000}, (400, "bad_form", None)),
        ([("file", ("a", b"x"))], {"stream": "perhaps"}, (400, "bad_request", "stream")),
        ([("file", ("a", b"x"))], {"response_format": "docx"}, (400, "bad_format", "response_format")),
        ([("file", ("a", b"x"))], {"timestamp_granularities[]": "a"},
         (400, "bad_granularity", "timestamp_granularities[]")),
        ([("file", ("a", b"x"))], {"model": "none"}, (404, "model_not_found", "model")),
        ([("file", ("a", b""))], {}, (415, "bad_audio", "file")),
        ([("file", ("a.raw", b"no audio"))], {}, (415, "bad_audio", "file")),
        ([("file", ("a\x00\n\u202eb" * 200, b"no audio"))], {}, (415, "bad_audio", "file")),
    ],
)  # fmt: skip
def test_a_form_that_is_wrong_is_an_error_in_the_form_of_openai(small: Running, files, form, expected):
    answer = httpx.post(small.http + PATH, files=files or None, data=form, timeout=60)
    assert error(answer) == expected
    assert len(answer.json()["error"]["message"]) < 1000
    assert len(places(small)) == 0


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=" + "b" * 1000, b"x"),
        ("multipart/form-data; boundary=b; charset=\xff", b"--b\r\n\r\n\r\n--b--"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: y\r\n" * 1000 + b"\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b"--b\r\nX: " + b"y" * 500_000 + b"\r\n\r\nx\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", BEGUN),
        ("multipart/form-data; boundary=b", b"\0" * 1000),
        ("application/json", b"[" * 100_000),
        ("", b"x"),
    ],
)
def test_a_body_that_is_no_form_is_an_error_in_the_form_of_openai(small: Running, kind, body):
    with opened(small, body, Content_Type=kind.encode("latin-1").decode("latin-1"), Content_Length=len(body)) as one:
        answer = heard(one)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert len(places(small)) == 0


def test_a_translation_into_what_there_is_not_is_refused_by_name(small: Running):
    facts, url = small.server.config.app.state.parts.facts, f"{small.http}/v1/audio/translations"
    form = {"files": {"file": ("a.flac", audio(1))}, "timeout": 60}
    before = facts.targets
    try:
        facts.targets = ()
        answer = httpx.post(url, **form)
        assert error(answer) == (400, "no_translation", "to")
        facts.targets = ("fra", "deu")
        for to in ("eng", "klingon"):
            answer = httpx.post(url, data={"to": to}, **form)
            assert error(answer) == (400, "bad_target", "to")
            assert "fra, deu" in answer.json()["error"]["message"]
    finally:
        facts.targets = before


def test_the_form_is_described_in_the_openapi_document(small: Running):
    paths = httpx.get(f"{small.http}/openapi.json").json()["paths"]
    for name in ("transcriptions", "translations"):
        schema = paths[f"/v1/audio/{name}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert schema["required"] == ["file"]
    assert json.dumps(paths).count("timestamp_granularities[]") == 1


# Slots


def test_a_place_is_left_once_and_by_whoever_had_it():
    two = UploadSlots(2)
    first, second = two.take(), two.take()
    with pytest.raises(Failure, match="429"):
        two.take()
    for _ in range(3):
        first.leave()
    assert len(two) == 1
    two.take()
    second.leave()
    assert len(two) == 1


def test_places_are_counted_by_any_thread():
    many = UploadSlots(10_000)

    def come_and_go() -> None:
        for _ in range(500):
            many.take().leave()

    async def all_at_once() -> None:
        await asyncio.gather(*(asyncio.to_thread(come_and_go) for _ in range(8)))

    asyncio.run(all_at_once())
    assert len(many) == 0
