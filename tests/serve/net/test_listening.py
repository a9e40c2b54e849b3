"""A port is taken before the model loads, and nothing is announced before it answers."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import httpx
import pytest

from serve.command import make_server
from serve.config import ServeConfig
from serve.net.listening import address, bound, listen
from speech.errors import ConfigError


@pytest.fixture
def taken():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


def sockets(stack: ExitStack, **settings) -> list[socket.socket]:
    return [stack.enter_context(one) for one in bound(ServeConfig(**settings))]


def test_a_port_in_use_is_one_line(taken):
    with pytest.raises(ConfigError) as caught:
        bound(ServeConfig(port=taken))
    expected = f"port {taken} on 127.0.0.1: address already in use. Give another --port, or stop what has it."
    assert str(caught.value) == expected


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.7", "2001:db8::1"])
def test_a_host_that_is_not_this_machine_is_one_line(host):
    with pytest.raises(ConfigError, match=re.escape(host)) as caught:
        bound(ServeConfig(host=host, port=0))
    assert "\n" not in str(caught.value)
    assert "--host" in str(caught.value)


def test_a_port_that_takes_permission_says_so(monkeypatch):
    def bind(self, address):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "socket", type("Socket", (socket.socket,), {"bind": bind}))
    with pytest.raises(ConfigError, match=r"port 80 on 127\.0\.0\.1: permission denied"):
        bound(ServeConfig(port=80))


def test_any_port_is_one_for_all_addresses_of_the_host():
    with ExitStack() as stack:
        found = sockets(stack, host="localhost", port=0)
        ports = {one.getsockname()[1] for one in found}
        assert len(ports) == 1
        assert address(found, ServeConfig(host="localhost")) == f"http://localhost:{ports.pop()}"


def test_an_address_of_ipv6_stands_in_brackets():
    with ExitStack() as stack:
        try:
            found = sockets(stack, host="::1", port=0)
        except ConfigError:
            pytest.skip("this machine has no IPv6")
        port = found[0].getsockname()[1]
        assert address(found, ServeConfig(host="::1")) == f"http://[::1]:{port}"
        listen(found, ServeConfig(host="::1"))
        socket.create_connection(("::1", port), 5).close()


def test_who_waits_for_its_model_takes_no_connections_and_hears_if_it_was_too_slow():
    with ExitStack() as stack:
        slow = sockets(stack, port=0)
        port = slow[0].getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 5)
        quick = sockets(stack, port=port)
        listen(quick, ServeConfig(port=port))
        with pytest.raises(ConfigError, match="address already in use"):
            listen(slow, ServeConfig(port=port))


def test_a_server_announces_the_port_that_it_has_once_it_answers():
    server = make_server(ServeConfig(port=0, max_load=1000.0))
    said: list[str] = []
    server.announce = said.append
    thread = threading.Thread(target=server.run, daemon=True)
    assert said == []
    thread.start()
    deadline = time.monotonic() + 60
    while not said and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        [url] = said
        assert not url.endswith(":0")
        assert httpx.get(f"{url}/health/live").status_code == 200
    finally:
        server.should_exit = True
        thread.join(20)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health/live")


def test_the_command_says_one_line_and_loads_no_model_where_the_port_is_in_use(taken, tmp_path):
    program = "from speech.cli.console import run; from speech.cli.app import app; run(app)"
    command = [sys.executable, "-c", program, "serve", "--port", str(taken), "--model", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=200, env=os.environ | {"COLUMNS": "200"})
    text = done.stderr.decode().strip()
    assert done.returncode == 1
    assert (
        text == f"error: port {taken} on 127.0.0.1: address already in use. Give another --port, or stop what has it."
    )
