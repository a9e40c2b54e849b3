"""How a translation is said: bounds of what a client may ask for."""

import msgspec
import pytest

from serve.protocols import wire
from serve.protocols.interpreting_messages import Interpreting
from serve.sessions.interpreting import settings_of
from speech.interpret.settings import InterpretSettings


def test_what_is_not_given_is_as_usual():
    assert settings_of(Interpreting("eng")) == InterpretSettings()


@pytest.mark.parametrize(
    "field", [field for field in Interpreting.__struct_fields__ if field not in ("target", "voice")]
)
def test_a_client_may_ask_for_all_that_an_interpreter_can_do_and_no_more(field):
    schema = msgspec.json.schema_components([Interpreting])[1]["Interpreting"]["properties"][field]
    for bound in ("minimum", "maximum"):
        if bound in schema:
            others = {"late_ms": 60_000} if field == "easy_ms" else {"easy_ms": 0}
            settings_of(Interpreting(**{"target": "eng", **others, field: schema[bound]}))
            step = 1 if bound == "maximum" else -1
            record = {"type": "start", "interpret": {"target": "eng", field: schema[bound] + step}}
            with pytest.raises(wire.BadMessage, match=field):
                wire.parse(msgspec.json.encode(record).decode())
