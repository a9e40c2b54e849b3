"""Tables of error rates: sums over languages, and what there is no rate of."""

import io

from rich.console import Console

from speech.metrics.edit.alignment import ErrorCounts
from speech.text.normalize import NORMALIZER_VERSION
from speech.train.asr.evaluate import ScoreRow, ScoreTable

TABLE = ScoreTable(
    {
        "deu": ScoreRow(3, ErrorCounts(1, 1, 0, 10), ErrorCounts(2, 2, 0, 40), 2),
        "eng": ScoreRow(1, ErrorCounts(0, 0, 4, 5), ErrorCounts(0, 0, 9, 10), 1),
    }
)


def test_all_languages_together_are_errors_over_units_and_no_mean_of_rates():
    assert TABLE.overall == 6 / 15


def test_as_json_rates_are_rounded_and_null_where_there_are_none():
    assert TABLE.to_dict() == {
        "normalizer": NORMALIZER_VERSION,
        "overall": 0.4,
        "languages": {
            "deu": {"utterances": 3, "wer": 0.2, "cer": 0.1, "lid": 0.6667},
            "eng": {"utterances": 1, "wer": 0.8, "cer": 0.9, "lid": 1.0},
        },
    }
    silent = ScoreTable({"deu": ScoreRow(1, ErrorCounts(0, 0, 2, 0), ErrorCounts(), 0)}).to_dict()
    assert (silent["overall"], silent["languages"]["deu"]["wer"], silent["languages"]["deu"]["cer"]) == (None, None, 0)


def test_it_is_printed_with_a_row_for_all():
    out = io.StringIO()
    TABLE.print(Console(file=out, width=120))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if "│" in line]
    assert rows == [
        ["German", "3", "0.200", "0.100", "0.667"],
        ["English", "1", "0.800", "0.900", "1.000"],
        ["all", "4", "0.400", "0.260", "0.750"],
    ]
