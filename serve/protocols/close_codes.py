"""Close codes of websockets."""

from __future__ import annotations

from enum import IntEnum


class CloseCode(IntEnum):
    """Why a connection is closed. After codes below 4000 a client may retry."""

    done = 1000
    going_away = 1001
    unsupported = 1003
    too_big = 1009
    internal = 1011
    restart = 1012
    overloaded = 1013
    bad_message = 4400
    unauthorized = 4401
    forbidden = 4403
    unknown_session = 4404
    idle = 4408
    taken_over = 4409
    too_long = 4413
    bad_audio = 4415
    bad_config = 4422
    too_fast = 4429
