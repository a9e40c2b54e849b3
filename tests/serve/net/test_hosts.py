"""Names by which a server may be called."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.net.hosts import AllowedHosts, host_name, is_address

HERE = AllowedHosts("127.0.0.1", ["speech.example.org", "*.lab.example.org"])


@pytest.mark.parametrize(
    "header",
    [
        "localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000", "10.1.2.3", "192.168.0.7:80",
        "[2001:db8::1]", "speech.example.org", "Speech.Example.org:443", "speech.example.org.", "a.lab.example.org",
        socket.gethostname(), f"{socket.gethostname()}.local:8000",
    ],
)  # fmt: skip
def test_its_own_names_addresses_and_those_that_are_allowed_are_known(header):
    assert HERE.knows(header)
    assert AllowedHosts("127.0.0.1", ["*"]).knows(header)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost",
        "speech.example.org.evil.example", "evilspeech.example.org", "lab.example.org", "evillab.example.org", "",
        "localhost@evil.example", "evil.example/localhost", "[evil.example]", "[::1].evil.example", "localhost:80:80",
        "local host", "localhost\n", "::1", "localhost:123456", "0x7f.1.evil", ".", "*",
    ],
)  # fmt: skip
def test_other_names_and_what_is_no_name_are_not(header):
    assert not HERE.knows(header)


def test_the_name_that_it_listens_on_is_its_own():
    assert AllowedHosts("speech.internal", []).knows("speech.internal:8000")
    assert not AllowedHosts("0.0.0.0", []).knows("speech.internal:8000")
    assert AllowedHosts("::", []).knows("[fe80::1]:8000")


@given(st.text(max_size=40))
def test_any_header_is_a_name_an_address_or_nothing(text):
    name = host_name(text)
    assert name is None or name == name.lower()
    assert not (name and is_address(name) and "[" in name)
