"""A client that has gone silent, or comes back."""

import pytest

from serve.sessions.options import Refused
from serve.sessions.presence import Presence


def test_who_says_nothing_for_too_long_is_idle():
    presence = Presence(5.0, 0.0)
    assert not presence.idle(5.0)
    assert presence.idle(5.1)
    presence.heard(5.0)
    assert not presence.idle(10.0)
    presence.not_listened_to(20.0)
    assert not presence.idle(25.0)


def test_the_token_before_holds_until_the_client_is_heard_with_the_new_one():
    presence = Presence(5.0, 0.0)
    first = presence.token
    presence.check(first)
    presence.back(first, 1.0)
    assert presence.token != first
    presence.check(first)
    presence.check(presence.token)
    presence.heard(2.0)
    for other in (first, "", "ключ"):
        with pytest.raises(Refused, match="no such session"):
            presence.check(other)
    presence.check(presence.token)
