"""What the loop is told: nothing changes it, and what cannot be is refused by its name."""

from dataclasses import FrozenInstanceError, replace

import pytest

from speech.errors import ConfigError
from speech.train.loop.config import OptimizerConfig, ParallelStrategy, TrainerConfig


@pytest.mark.parametrize("config", [OptimizerConfig(), TrainerConfig()], ids=["optimizer", "trainer"])
def test_what_has_been_recorded_cannot_be_changed(config):
    for name in config.__dataclass_fields__:
        with pytest.raises(FrozenInstanceError):
            setattr(config, name, getattr(config, name))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: OptimizerConfig(lr=float("nan")), "optimizer.lr is nan, expected more than 0"),
        (lambda: OptimizerConfig(betas=[0.9]), "optimizer.betas"),
        (lambda: replace(TrainerConfig(), max_steps=0), "trainer.max_steps 0, expected at least 1"),
        (lambda: TrainerConfig(average=-1), "trainer.average -1, expected at least 0"),
    ],
)
def test_each_number_is_refused_by_its_name(make, said):
    with pytest.raises(ConfigError) as error:
        make()
    assert said in str(error.value)


def test_strategies_are_called_as_in_the_configuration_files():
    assert [strategy.value for strategy in ParallelStrategy] == ["auto", "ddp", "fsdp"]
