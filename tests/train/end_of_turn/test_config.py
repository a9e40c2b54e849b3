"""Settings of the training of end-of-turn models."""

import pytest

from speech.errors import ConfigError
from speech.train.end_of_turn.config import EndOfTurnTrainConfig, TurnBatchConfig


def test_it_needs_texts():
    with pytest.raises(ConfigError, match=r"texts is empty.*train\.jsonl"):
        EndOfTurnTrainConfig()


@pytest.mark.parametrize(("name", "value"), [("rows", 0), ("dropout", 1.0), ("unnamed", 1.5), ("recognised_times", 0)])
def test_numbers_are_in_range(name, value):
    with pytest.raises(ConfigError, match=rf"rows\.{name}"):
        TurnBatchConfig(**{name: value})
