"""What an operator watches, as Prometheus reads it."""

from types import SimpleNamespace

from serve.telemetry import Telemetry
from speech.events import EndpointEvent


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def talking(lead_s: float, *measured: tuple[str, float]) -> SimpleNamespace:
    """A session so far ahead of the engine, and what it has measured."""
    return SimpleNamespace(flow=SimpleNamespace(lead_s=lead_s), events=SimpleNamespace(measured=list(measured)))


def test_work_of_the_engine_is_counted_once():
    telemetry = Telemetry()
    session = talking(0.25, ("first_partial", 0.4), ("final", 0.3), ("final", 0.5))
    endpoint = EndpointEvent(at_s=1.0, speech_end_s=0.7, decided_s=1.2, reason="silence")
    result = SimpleNamespace(stepped_s=0.5, read_s=2.0, hurried=3, events=[endpoint])
    telemetry.worked(session, result)
    telemetry.worked(session, SimpleNamespace(stepped_s=0.5, read_s=0.0, hurried=0, events=[]))
    assert value(telemetry, "speech_busy_seconds_total", what="chunks") == 1.0
    assert value(telemetry, "speech_busy_seconds_total", what="parts") == 2.0
    assert value(telemetry, "speech_fallbacks_total") == 3
    assert value(telemetry, "speech_lag_seconds_sum") == 0.5
    assert value(telemetry, "speech_endpoint_seconds_sum") == 0.5
    assert value(telemetry, "speech_first_partial_seconds_count") == 1
    assert value(telemetry, "speech_final_seconds_sum") == 0.8
    assert session.events.measured == []


def test_an_end_that_was_decided_before_speech_ended_took_no_time():
    telemetry = Telemetry()
    early = EndpointEvent(at_s=1.0, speech_end_s=1.0, decided_s=0.9, reason="silence")
    telemetry.worked(talking(0.0), SimpleNamespace(stepped_s=0, read_s=0, hurried=0, events=[early]))
    assert value(telemetry, "speech_endpoint_seconds_sum") == 0.0


def test_audio_of_texts_is_counted_and_so_is_what_came_late():
    telemetry = Telemetry()
    for said in ((0.2, 0.5, 0.0), (1.0, None, 0.0), (1.0, None, 0.3)):
        telemetry.said(*said)
    assert value(telemetry, "speech_spoken_seconds_total") == 2.2
    assert value(telemetry, "speech_first_packet_seconds_sum") == 0.5
    assert value(telemetry, "speech_first_packet_seconds_count") == 1
    assert value(telemetry, "speech_late_packets_total") == 1


def test_servers_in_one_process_count_for_themselves():
    one, other = Telemetry(), Telemetry()
    one.resumes.inc()
    assert b"speech_resumes_total 1.0" in one.render()
    assert b"speech_resumes_total 0.0" in other.render()
