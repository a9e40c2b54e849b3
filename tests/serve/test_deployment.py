"""Workers as processes, behind nginx with the configuration of deploy/: sessions find their worker again."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from serve.client import StreamClient
from tests.serve.conftest import Running, finals, running, until

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
KEY = "a key"
START = '{"type":"start"}'
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True)
class Fleet:
    """Two workers and the proxy before them."""

    proxy: int
    workers: dict[str, int]
    log: Path

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.proxy}/v1/stream"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.proxy}"


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def process(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    environment = {f"SPEECH_{name.upper()}": str(value) for name, value in settings.items()}
    with subprocess.Popen(command, env=os.environ | environment) as found:
        try:
            yield found
        finally:
            found.terminate()  # nginx ends its own processes then
            try:
                found.wait(10)
            except subprocess.TimeoutExpired:
                found.kill()


def worker(port: int, **settings: Any) -> Any:
    usual = {"port": port, "threads": 1, "max_load": 1000, "max_sessions": 2}
    return process([str(Path(sys.executable).with_name("speech")), "serve"], **usual | settings)


def answers(url: str, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.05)


def configured(folder: Path, proxy: int, ports: list[int]) -> list[str]:
    """The command that runs nginx with deploy/nginx.conf, on other ports and with its files in a folder."""
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    changes = {
        "listen 8080;": f"listen 127.0.0.1:{proxy};",
        "127.0.0.1:8001": f"127.0.0.1:{ports[0]}",
        "127.0.0.1:8002": f"127.0.0.1:{ports[1]}",
        "/var/log/nginx/access.log": str(folder / "access.log"),
        "http {": "http {\n" + "".join(f"  {name}_temp_path {folder}/{name};\n" for name in TEMPORARY),
    }
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    user = "user root;" if os.getuid() == 0 else ""
    command = [shutil.which("nginx") or "nginx", "-p", str(folder), "-e", str(folder / "error.log")]
    return [*command, "-c", str(folder / "nginx.conf"), "-g", f"daemon off; pid {folder}/pid; {user}"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if shutil.which("nginx") is None:
        pytest.skip("needs nginx: apt-get install nginx")
    folder = tmp_path_factory.mktemp("nginx")
    proxy, first, second = free_ports(3)
    found = Fleet(proxy, {"a": first, "b": second}, folder / "access.log")
    with ExitStack() as stack:
        for name, port in found.workers.items():
            stack.enter_context(worker(port, worker=name, api_keys=KEY, allowed_hosts="speech.example.org"))
        stack.enter_context(process(configured(folder, proxy, [first, second])))
        for port in (*found.workers.values(), proxy):
            answers(f"http://127.0.0.1:{port}/health/ready")
        yield found


def curl(url: str, wave: Path, *form: str) -> str:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("needs curl: apt-get install curl")
    fields = [part for item in (f"file=@{wave}", *form) for part in ("-F", item)]
    command = [program, "-sS", "-N", "-H", f"Authorization: Bearer {KEY}", *fields]
    run = subprocess.run([*command, f"{url}/v1/audio/transcriptions"], check=True, capture_output=True, timeout=60)
    return run.stdout.decode()


def metric(port: int, name: str) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def cut_off_often(url: str, pcm: bytes) -> tuple[StreamClient, list[dict[str, Any]]]:
    async with StreamClient(url, api_key=KEY) as client, asyncio.TaskGroup() as group:

        async def send() -> None:
            size = len(pcm) // 8 * 2
            for start in range(0, len(pcm), size):
                await client.send(pcm[start : start + size])
                assert client._socket is not None
                client._socket.transport.abort()
                await asyncio.sleep(0.05)
            await client.stop()

        group.create_task(send())
        return client, [event async for event in client]


def test_the_address_names_the_session_when_a_client_comes_back(monkeypatch, pcm, said):
    addresses: list[str] = []

    def connecting(url: str, **options: Any) -> Any:
        addresses.append(url)
        return connect(url, **options)

    monkeypatch.setattr("serve.client.connect", connecting)
    with running(worker="w1") as one:
        address = f"{one.ws}/v1/stream?languages=eng,fra"
        client, events = asyncio.run(cut_off_often(address, pcm))
    assert finals(events) == said
    assert client.session.startswith("w1-")
    assert addresses[0] == address
    assert set(addresses[1:]) == {f"{address}&session={client.session}"}


def test_a_client_that_is_cut_off_comes_back_to_its_worker_through_nginx(fleet: Fleet, pcm, said):
    async def two() -> list[tuple[StreamClient, list[dict[str, Any]]]]:
        return await asyncio.gather(*(cut_off_often(fleet.ws, pcm) for _ in range(2)))

    results = asyncio.run(two())
    assert [finals(events) for _, events in results] == [said] * 2
    assert {client.session.partition("-")[0] for client, _ in results} == set(fleet.workers)  # the one with less to do
    assert all(client.reconnect_attempts >= 3 for client, _ in results)
    assert all(metric(port, "speech_resumes_total") >= 3 for port in fleet.workers.values())


def test_a_worker_that_is_full_is_passed_over_by_nginx(fleet: Fleet):
    key = {"additional_headers": {"Authorization": f"Bearer {KEY}"}}

    async def session(url: str, stack: list[Any]) -> str:
        stack.append(await connect(url, **key))
        await stack[-1].send(START)
        return str(json.loads(await stack[-1].recv())["session"])

    async def conversation() -> None:
        stack: list[Any] = []
        for _ in range(2):
            assert (await session(f"ws://127.0.0.1:{fleet.workers['a']}/v1/stream", stack)).startswith("a-")
        assert httpx.get(f"http://127.0.0.1:{fleet.workers['a']}/health/ready").status_code == 503
        for _ in range(2):
            assert httpx.get(f"{fleet.http}/health/ready").status_code == 200
            assert (await session(fleet.ws, stack)).startswith("b-")
        with pytest.raises(InvalidStatus) as caught:
            await connect(fleet.ws, **key)
        assert caught.value.response.status_code == 503
        assert int(caught.value.response.headers["Retry-After"]) > 0
        for one in stack:
            await one.send('{"type":"stop"}')
            assert json.loads([text async for text in one][-1])["type"] == "end"

    asyncio.run(conversation())


def test_a_token_of_one_worker_passes_at_the_other_and_stays_out_of_the_log(fleet: Fleet):
    url = f"http://127.0.0.1:{fleet.workers['a']}/v1/realtime/client_secrets"
    token = httpx.post(url, headers={"X-API-Key": KEY}).json()["value"]

    async def conversation() -> str:
        async with connect(f"ws://127.0.0.1:{fleet.workers['b']}/v1/stream?token={token}") as socket:
            await socket.send(START)
            started = str(json.loads(await socket.recv())["type"])
        async with connect(f"{fleet.ws}?token={token}"):
            return started

    assert asyncio.run(conversation()) == "started"
    assert httpx.get(f"{fleet.http}/v1/models").status_code == 401
    assert httpx.get(f"{fleet.http}/metrics").status_code == 404
    asyncio.run(until(lambda: "/v1/models" in fleet.log.read_text("utf-8")))
    log = fleet.log.read_text("utf-8")
    assert "/v1/stream" in log
    assert "token" not in log


def test_pages_of_the_public_name_are_let_in_through_nginx_and_no_others(fleet: Fleet):
    for name, expected in (("speech.example.org", 200), ("evil.example", 403), (f"127.0.0.1:{fleet.proxy}", 200)):
        headers = {"Host": name, "Origin": f"http://{name}", "X-API-Key": KEY}
        assert httpx.get(f"{fleet.http}/v1/models", headers=headers).status_code == expected, name


@pytest.mark.parametrize("through", ["nginx", "nothing"])
def test_curl_transcribes_a_file_through(through, request, wave, recognizer):
    url = request.getfixturevalue("fleet").http
    if through == "nothing":
        direct: Running = request.getfixturevalue("server")
        url = direct.http
    transcript = recognizer.transcribe(wave)
    assert json.loads(curl(url, wave))["text"] == transcript.text
    assert curl(url, wave, "response_format=srt") == transcript.to_srt()
    events = [json.loads(line.removeprefix("data: ")) for line in curl(url, wave, "stream=true").split("\n\n") if line]
    assert "".join(event.get("delta", "") for event in events) == transcript.text
    assert events[-1]["type"] == "transcript.text.done"


def test_a_worker_that_is_told_to_stop_lets_its_session_go_on_and_leaves(pcm, said):
    async def conversation(port: int, told: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
        async with StreamClient(f"ws://127.0.0.1:{port}/v1/stream") as client, asyncio.TaskGroup() as group:

            async def send() -> None:
                half = len(pcm) // 4 * 2
                await client.send(pcm[:half])
                told.send_signal(signal.SIGTERM)
                await until(lambda: httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 503)
                await client.send_all([pcm[half:]])

            group.create_task(send())
            return [event async for event in client]

    [port] = free_ports(1)
    with worker(port, drain_s=20) as told:
        answers(f"http://127.0.0.1:{port}/health/ready")
        events = asyncio.run(conversation(port, told))
        assert told.wait(20) == 0
    assert "goaway" in {event["type"] for event in events}
    assert events[-1]["type"] == "end"
    assert finals(events) == said


def test_the_files_of_deploy_speak_of_the_same_workers():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    nginx = (DEPLOY / "nginx.conf").read_text("utf-8")
    workers = {name for name in services if name != "nginx"}
    assert set(re.findall(r"~\^(\w+)-", nginx)) == set(re.findall(r"upstream worker_(\w+)", nginx)) == workers
    for name in workers:
        assert {f"SPEECH_WORKER={name}", "SPEECH_API_KEYS", "SPEECH_ALLOWED_HOSTS"} <= set(
            services[name]["environment"]
        )
    replaced = dict(re.findall(r"s/(127[\d.:]+)/(\w+):8000/", services["nginx"]["command"][-1]))
    assert set(replaced) == set(re.findall(r"server (127[\d.:]+)", nginx))
    assert set(replaced.values()) == workers
