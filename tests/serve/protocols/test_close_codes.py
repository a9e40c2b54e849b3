"""Codes that connections are closed with."""

from serve.protocols import wire


def test_close_codes_that_are_worth_another_try_are_below_4000():
    again = {wire.CloseCode.going_away, wire.CloseCode.restart, wire.CloseCode.overloaded, wire.CloseCode.internal}
    assert all(code < 4000 for code in again)
    assert wire.CloseCode.unauthorized >= 4000
