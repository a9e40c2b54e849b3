"""`recipes/streaming_translation`: from manifests and a label model to a policy, as it is called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from speech.models.adapters.file import fingerprint
from speech.models.policy_file import POLICY, load_policy
from tests.recipes.starting import one_line, started
from tests.train.translation.corpus import base, spoken

__all__ = ["base", "spoken"]  # fixtures
SCRIPT = "streaming_translation/train.py"


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[object]:
    yield from started(monkeypatch, capsys)


def test_it_writes_a_policy_for_its_base_and_says_where(start, base, spoken, tmp_path):
    small = ["label.joined_s=[1.5,3.0]", "trainer.progress=false", "data.augment=null", "policy.depth=1"]
    output = tmp_path / "run"
    ran = start(SCRIPT, "debug=default", f"base={base}", f"output={output}", f"data.root={spoken}", *small)
    assert ran.code == 0, ran.err[-3000:]
    assert ran.out.replace("\n", "") == f"policy: {output / POLICY}"
    assert load_policy(output / POLICY, fingerprint(base)).network.config.depth == 1


def test_what_is_wrong_is_said_in_a_line(start, spoken, tmp_path):
    arguments = ["debug=default", f"output={tmp_path / 'run'}", f"data.root={spoken}"]
    assert "no such model" in one_line(start(SCRIPT, "base=none", *arguments))
    assert "label.cut 0.5" in one_line(start(SCRIPT, "label.cut=0.5", *arguments))
