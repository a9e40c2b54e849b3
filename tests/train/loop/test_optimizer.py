"""Rates by layer, and over the steps of a run."""

import math

import pytest
from torch import nn

from speech.train.asr.config import OptimizerConfig
from speech.train.loop.optimizer import build_optimizer, rate_factor, schedule_factor


def test_rates_fall_towards_the_lower_layers():
    config = OptimizerConfig(encoder_lr=0.5, layer_decay=0.8)
    assert rate_factor("ctc.linear.weight", 6, config) == 1.0
    assert rate_factor("encoder.layers.5.attention.query.weight", 6, config) == 0.5
    assert rate_factor("encoder.layers.0.attention.query.weight", 6, config) == pytest.approx(0.5 * 0.8**5)
    assert rate_factor("encoder.subsampling.conv1.weight", 6, config) == pytest.approx(0.5 * 0.8**6)
    groups = build_optimizer(nn.Linear(2, 2), 6, config).param_groups
    assert sorted(group["weight_decay"] for group in groups) == [0.0, config.weight_decay]


def test_schedules_warm_up_and_fall():
    cosine, published = OptimizerConfig(warmup=10, final=0.1), OptimizerConfig(warmup=10, inverse_sqrt=True)
    assert schedule_factor(0, 100, cosine) == pytest.approx(0.1)
    assert schedule_factor(10, 100, cosine) == pytest.approx(1.0)
    assert schedule_factor(100, 100, cosine) == pytest.approx(0.1)
    assert schedule_factor(29, 100, cosine, begins=30) == 0.0
    assert schedule_factor(34, 100, cosine, begins=30) == pytest.approx(0.5)
    assert schedule_factor(39, 100, published) == pytest.approx(math.sqrt(10 / 40))
