"""What all messages of the server have in common."""

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.message_base import Event


def test_every_message_of_the_server_is_numbered():
    assert all(issubclass(kind, Event) for kind in wire.ServerMessage.__args__)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "alive", "seq": 0}, wire.ServerMessage)
