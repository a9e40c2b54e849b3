"""How text and voice are combined, and its file."""

import pytest

from speech.errors import ModelError
from speech.models.turn_combination import COMBINATION, Combination, load_combination


def test_what_is_written_is_read(tmp_path):
    own = Combination(0.5, 0.25, 2.0)
    assert own.log_odds(4.0, -1.0) == -0.5
    (tmp_path / COMBINATION).write_text(own.to_json())
    assert load_combination(tmp_path) == own


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "is no combination"), ("[1]", "is no combination"), ('{"bias": 1, "other": 2}', "is no combination"),
     ('{"bias": NaN}', "not finite")],
)  # fmt: skip
def test_damage_is_named(tmp_path, content, said):
    with pytest.raises(ModelError, match="has no combination"):
        load_combination(tmp_path)
    (tmp_path / COMBINATION).write_text(content)
    with pytest.raises(ModelError, match=said):
        load_combination(tmp_path)
