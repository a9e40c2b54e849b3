"""The mean of the last snapshots."""

from torch import nn

from speech.train.loop.averaging import average, save_snapshot, snapshots


def test_the_average_is_the_mean_of_the_last_snapshots(tmp_path):
    for step in (1, 2, 3):
        layer = nn.Linear(2, 1)
        nn.init.constant_(layer.weight, float(step))
        nn.init.constant_(layer.bias, 0.0)
        save_snapshot(layer, tmp_path, step, keep=2)
    assert [path.stem for path in snapshots(tmp_path)] == ["00000002", "00000003"]
    assert average(snapshots(tmp_path))["weight"].tolist() == [[2.5, 2.5]]
