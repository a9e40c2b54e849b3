"""Systems beside each other: rates that have units, differences of what both have, and plain data."""

import json
import math

import numpy as np
import pytest

from speech.metrics.bootstrap import Figure
from speech.metrics.corpus import SIGNATURE
from speech.metrics.systems import compare, finite, score_system, to_dict, with_figures
from speech.metrics.utterance import Pairing, score_utterance

REFERENCES = ["guten morgen zusammen", "das ist gut", "bis morgen"]


def system(name: str, *said: str):
    samples = [
        Pairing(text, heard, ("deu",), f"u{n}") for n, (text, heard) in enumerate(zip(REFERENCES, said, strict=True))
    ]
    return score_system(name, [score_utterance(sample) for sample in samples])


def seconds(*each: float) -> Figure:
    sums = np.array([[value, 1.0] for value in each])
    return Figure(sums, lambda total: float(total[0] / total[1]), each, "seconds")


def test_a_rate_without_units_has_no_interval():
    found = system("a", "guten abend zusammen", "das ist gut", "bis morgen")
    assert found.intervals["wer"].value == pytest.approx(1 / 8)
    assert "pier" not in found.intervals
    assert found.signature == SIGNATURE
    silent = score_system("b", [score_utterance(Pairing("", "", (), "u0"))])
    assert dict(silent.intervals) == {}


def test_what_both_have_is_compared_second_minus_first():
    good = with_figures(system("good", *REFERENCES), {"al": seconds(1.0, 2.0, 3.0)})
    bad = with_figures(system("bad", "guten tag zusammen", "das gut", "bis"), {"al": seconds(2.0, 2.0, 5.0)})
    found = compare(good, bad)
    assert found["wer"].value == pytest.approx(3 / 8)
    assert found["al"].value == pytest.approx(1.0)
    assert "saer" not in found
    assert compare(bad, good)["wer"].value == -found["wer"].value
    assert "al" not in compare(good, system("bad", *REFERENCES))
    assert good.signature == f"{SIGNATURE} seconds"


def test_plain_data_has_every_utterance_and_names_rates_without_a_value():
    good = with_figures(system("good", *REFERENCES), {"al": seconds(1.0, 2.0, 3.0)})
    bad = system("bad", "guten tag zusammen", "das gut", "bis")
    data = to_dict([good, bad], [compare(good, bad)])
    assert json.loads(json.dumps(finite(data))) == finite(data)
    first, second = data["systems"]
    assert (first["name"], first["against_first"]) == ("good", {})
    assert second["against_first"]["wer"]["value"] == pytest.approx(3 / 8)
    assert [one["wer"] for one in second["utterances"]] == [
        {"errors": 1, "units": 3}, {"errors": 1, "units": 3}, {"errors": 1, "units": 2},
    ]  # fmt: skip
    assert [one["al"] for one in first["utterances"]] == [1.0, 2.0, 3.0]
    silent = score_system("b", [score_utterance(Pairing("", "", (), "u0"))])
    assert to_dict([silent], [])["systems"][0]["rates"] == {"wer": None, "cer": None, "mer": None}


def test_numbers_that_json_does_not_have_become_none():
    assert finite({"a": [1.5, math.inf, (math.nan, "x")], "b": 2}) == {"a": [1.5, None, [None, "x"]], "b": 2}
