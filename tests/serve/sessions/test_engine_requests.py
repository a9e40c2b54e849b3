"""Work for the engine in order, and what is answered once it has been done."""

import numpy as np

from serve.protocols import wire
from serve.sessions.engine_requests import EngineRequests
from serve.sessions.options import Prepared
from speech.errors import LanguageError
from speech.stream.commands import Change, Done, Finish, Flush, Push
from speech.stream.options import StreamOptions


def test_each_request_is_answered_and_the_last_is_not():
    requests = EngineRequests(Prepared(StreamOptions()))
    requests.push(np.zeros(0, np.float32))
    requests.push(np.zeros(8, np.float32))
    requests.flush("a")
    requests.change(Prepared(StreamOptions(interim=False)))
    requests.finish()
    push, flush, change, finish = requests.work
    assert isinstance(push, Push)
    assert (flush, finish) == (Flush("a"), Finish())
    assert requests.unanswered == 2
    assert requests.answer(Done(flush, 0.5)) == wire.Finalized(seq=1, id="a", at_ms=500)
    assert requests.answer(Done(change, 0.75)) == wire.Updated(seq=1, from_ms=750)
    assert requests.answer(Done(finish, 1.0)) is None
    assert requests.unanswered == 0


def test_a_change_that_is_refused_is_taken_back_unless_another_has_followed():
    first, second, third = StreamOptions(), StreamOptions(interim=False), StreamOptions(plain=True)
    requests = EngineRequests(Prepared(first))
    requests.change(Prepared(second))
    answer = requests.answer(Done(requests.work.pop(), 0.0, LanguageError("no")))
    assert isinstance(answer, wire.Error)
    assert (answer.code, answer.fatal) == ("bad_config", False)
    assert requests.options is first
    requests.change(Prepared(second))
    requests.change(Prepared(third))
    refused = requests.work[0]
    assert isinstance(refused, Change)
    requests.answer(Done(refused, 0.0, LanguageError("no")))
    assert requests.options is third
