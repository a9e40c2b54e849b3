"""Adapters: nothing at first, for their own rows only, whole files and live chunks alike."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from speech.chunking import ChunkSpec
from speech.errors import ConfigError
from speech.models.owsm_ctc import OwsmCtc
from speech.nn.adapters import Adapter, AdapterBank, width_for

PREFIX = torch.tensor([[1, 2]])


def trained(layers: list[int], dim: int, width: int, seed: int) -> Adapter:
    """With some values everywhere."""
    generator = torch.Generator().manual_seed(seed)
    adapter = Adapter(layers, dim, width)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return adapter.requires_grad_(False)


def bank_for(model: OwsmCtc) -> AdapterBank:
    dim = model.config.encoder.dim
    return AdapterBank({"deu": trained([1, 3], dim, 4, 1), "spa": trained([2, 3], dim, 6, 2)})


def heard(model: OwsmCtc, features: torch.Tensor, bank: AdapterBank | None, wanted: list[dict[str, float]]):
    rows = len(features)
    lengths = torch.full((rows,), features.shape[1])
    with torch.inference_mode():
        adapters = None if bank is None else bank.tap(wanted)
        return model.encode(features, lengths, PREFIX.expand(rows, -1), adapters=adapters).x


@pytest.fixture(params=["model", "published"])
def any_model(request) -> OwsmCtc:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("parameters", "dim", "layers"), [(30_000_000, 256, 12), (22_700_000, 512, 6), (1_011_300_000, 1024, 27)]
)
def test_the_width_keeps_to_the_budget(parameters, dim, layers):
    width = width_for(parameters, dim, layers)
    adapter = Adapter(range(1, layers + 1), dim, width)
    share = sum(parameter.numel() for parameter in adapter.parameters()) / parameters
    assert 0.0035 <= share <= 0.004


def test_a_budget_that_cannot_be_kept_is_refused():
    with pytest.raises(ConfigError, match=r"0\.40% of 100000 parameters behind 6 layers"):
        width_for(100_000, 256, 6)


def test_a_new_adapter_changes_not_a_bit(any_model):
    features = torch.randn(2, 90, 80)
    bank = AdapterBank({"deu": Adapter([1, 2, 3], any_model.config.encoder.dim, 5)})
    assert torch.equal(
        heard(any_model, features, bank, [{"deu": 1.0}, {"deu": 0.3}]), heard(any_model, features, None, [])
    )


def test_rows_without_adapters_are_left_to_the_last_bit_and_others_do_not_hear_them(any_model):
    features, bank = torch.randn(3, 90, 80), bank_for(any_model)
    plain = heard(any_model, features, None, [])
    mixed = heard(any_model, features, bank, [{"deu": 1.0}, {"eng": 1.0}, {"spa": 1.0}])
    assert torch.equal(mixed[1], plain[1])
    for row, code in ((0, "deu"), (2, "spa")):
        alone = heard(any_model, features[row : row + 1], bank, [{code: 1.0}])[0]
        torch.testing.assert_close(mixed[row], alone, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(mixed[row], plain[row], atol=1e-3)
    assert bank.tap([{"eng": 1.0}, {}]) is None


@given(weight=st.floats(0.0, 1.0))
def test_a_mixture_adds_what_each_adds_by_its_weight(model, weight):
    bank, x = bank_for(model), torch.randn(1, 7, model.config.encoder.dim)

    def added(wanted: dict[str, float]) -> torch.Tensor:
        tap = bank.tap([wanted])
        return torch.zeros_like(x) if tap is None else tap(3, x) - x

    expected = weight * added({"deu": 1.0}) + (1 - weight) * added({"spa": 1.0})
    torch.testing.assert_close(added({"deu": weight, "spa": 1 - weight}), expected, atol=1e-5, rtol=1e-5)


def test_narrow_and_wide_ones_in_one_bank_are_what_they_are_alone(model):
    bank, x = bank_for(model), torch.randn(1, 7, model.config.encoder.dim)
    for code, adapter in bank.adapters.items():
        alone = AdapterBank({code: adapter})
        for layer in (1, 2, 3, 4):
            found, expected = (b.tap([{code: 1.0}])(layer, x) for b in (bank, alone))
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
            assert torch.equal(found, x) == (layer not in adapter.layers)


def test_live_chunks_say_what_the_whole_says(any_model):
    model, bank = any_model, bank_for(any_model)
    chunk = ChunkSpec(size=4, left_context=16)
    features, lengths = torch.randn(2, 200, 80), torch.tensor([200, 200])
    adapters = bank.tap([{"deu": 1.0}, {"deu": 0.5, "spa": 0.5}])
    with torch.inference_mode():
        whole = model.encode(features, lengths, PREFIX.expand(2, -1), chunk, adapters=adapters)
        expected = model.ctc(whole.x[:, 2:] if model.config.target_prefix else whole.x)
        state = model.init_state(PREFIX.expand(2, -1), chunk, adapters=adapters)
        found = []
        for piece in features.split(33, dim=1):
            log_probs, _, state = model.step(piece, state, chunk, adapters=adapters)
            found.append(log_probs)
        found.append(model.finish(state, chunk, adapters=adapters)[0])
    torch.testing.assert_close(torch.cat(found, dim=1), expected, atol=1e-4, rtol=1e-4)


def test_training_moves_the_adapters_that_are_used_and_no_other(model):
    dim = model.config.encoder.dim
    bank = AdapterBank({"deu": Adapter([1, 2], dim, 4), "spa": Adapter([1, 2], dim, 4)})
    frozen = model.requires_grad_(False)
    try:
        given = torch.randn(1, 90, 80), torch.tensor([90]), PREFIX
        with torch.no_grad():  # as in a validation before: nothing of it may be kept
            frozen.encode(*given, adapters=bank.tap([{"deu": 1.0}]))
        frozen.encode(*given, adapters=bank.tap([{"deu": 1.0}])).x.sum().backward()
    finally:
        model.requires_grad_(True)
    assert bank.adapters["deu"].up.grad.abs().sum() > 0
    assert bank.adapters["spa"].up.grad is None or not bank.adapters["spa"].up.grad.any()


def test_a_bank_stays_as_it_is_when_another_is_made_of_it(model):
    bank = bank_for(model)
    assert (bank.without("deu").codes, bank.codes) == (("spa",), ("deu", "spa"))
    with pytest.raises(ConfigError, match=r"no adapter for 'ita'.*deu, spa"):
        bank.without("ita")


def test_adapters_that_fit_no_model_are_refused(model):
    dim = model.config.encoder.dim
    with pytest.raises(ConfigError, match="one bank"):
        AdapterBank({"deu": Adapter([1], dim, 3), "fra": Adapter([1], dim + 1, 3)})
    for layers, width in (([2, 1], 3), ([0], 3), ([], 3), ([1], 0)):
        with pytest.raises(ConfigError, match="behind layers"):
            Adapter(layers, dim, width)


def test_a_bank_knows_the_tokens_that_its_adapters_bring_and_their_rows(model):
    dim = model.config.encoder.dim
    bank = AdapterBank(
        {"deu": Adapter([1], dim, 4), "ell": Adapter([1], dim, 4, ["α", "β"]), "rus": Adapter([1], dim, 4, ["а"])}
    )
    with torch.no_grad():
        for number, code in enumerate(("ell", "rus")):
            bank.adapters[code].rows.fill_(number)
            bank.adapters[code].rows_bias.fill_(number + 5)
    assert bank.tokens == {"ell": ("α", "β"), "rus": ("а",)}
    rows, bias = bank.rows(["rus", "ell"])
    assert rows.shape == (3, dim)
    assert rows[:, 0].tolist() == [1.0, 0.0, 0.0]
    assert bias.tolist() == [6.0, 5.0, 5.0]
