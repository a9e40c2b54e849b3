"""`speech models`: what a model says of itself."""

from speech.decode.label.joint import JointConfig
from speech.models.policy_file import POLICY, PolicyFile, save_policy
from speech.nn.policy_network import PolicyConfig, PolicyNetwork
from tests.cli.calling import run
from tests.tiny_hybrid import save_tiny_hybrid


def test_a_model_describes_itself(checkpoint):
    result = run("models", checkpoint)
    assert "deu eng spa" in result.stdout
    assert "40 ms" in result.stdout
    assert "owsm_ctc" in result.stdout
    size = sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file())
    assert f"on disk       {size / 1e6:.1f} MB" in result.stdout
    assert "label" not in result.stdout


def test_a_hybrid_describes_both_halves(tmp_path):
    save_tiny_hybrid(tmp_path / "hybrid", JointConfig())
    whole = run("models", tmp_path / "hybrid").stdout
    assert "kind          hybrid" in whole
    size = sum(file.stat().st_size for file in (tmp_path / "hybrid").rglob("*") if file.is_file())
    assert f"on disk       {size / 1e6:.1f} MB" in whole
    assert "deu eng gla" in whole
    assert "it writes     eng deu spa" in whole
    assert "emma" not in whole
    save_policy(tmp_path / "hybrid" / "label" / POLICY, PolicyFile(PolicyNetwork(PolicyConfig(), 32, 2, 4), "", ""))
    assert "live policy   emma" in run("models", tmp_path / "hybrid").stdout
    label = run("models", tmp_path / "hybrid" / "label").stdout
    assert "live policy   emma" in label
    assert "kind          whisper" in label
    assert "languages     eng deu spa" in label
    assert "live          parts" in label
