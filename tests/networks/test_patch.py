"""Networks go into the weights and come out again bit by bit, and what was done is not done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import pytest
import torch
from torch import Tensor

from modules.networks import patch, slot
from modules.networks.blocks import BlockWeights
from modules.networks.names import Part
from modules.networks.network import Network
from modules.networks.patch import Patches, Wanted
from tests.networks.samples import SAMPLES
from tests.networks.toy_model import Held, lora, model, same_bits, under, weights

Write = Callable[..., Network]
EVERYWHERE = ("lora_unet_conv_in", "lora_unet_down_blocks_0_attn_to_q", "lora_unet_up_blocks_0_attn_to_k")


@pytest.fixture(params=["in memory", "from a file", "in memory, fixed", "from a file, fixed"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Part, ...]:
    """A model whose weights can be read again, and one whose cannot; with addresses that must stay, as on a GPU."""
    if "fixed" in request.param:
        monkeypatch.setattr(slot, "may_move", lambda tensor: False)
    return model(from_file="file" in request.param)


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Tensor]]:
    """The weights that were merged into, in order."""
    seen: list[Tensor] = []
    real = patch.merge

    def counted(weight: Tensor, contributions: object) -> None:
        seen.append(weight)
        real(weight, contributions)

    monkeypatch.setattr(patch, "merge", counted)
    yield seen


def everywhere(parts: tuple[Part, ...], write: Write, name: str = "a", seed: int = 1) -> Network:
    """A LoRA in the denoising network and in both text encoders."""
    unet, first, second = (part.module for part in parts)
    return write(
        {
            **under("lora_unet_conv_in", lora(unet.get_submodule("conv_in"), seed)),
            **under("lora_unet_mid_block_attn_to_q", lora(unet.get_submodule("mid_block.attn.to_q"), seed + 1)),
            **under("lora_te1_text_model_layers_0_to_q", lora(first.get_submodule("layers.0.to_q"), seed + 2)),
            **under("lora_te2_text_model_layers_0_to_v", lora(second.get_submodule("layers.0.to_v"), seed + 3)),
        },
        name,
    )


def of_every_kind(write: Write) -> list[Network]:
    """A network of each kind on a layer of the shape that the samples have; it has no bias."""
    return [
        write(under("lora_unet_mid_block_attn_to_k", sample.tensors), sample.label.replace(" ", "-") + sample.kind)
        for sample in SAMPLES
        if not sample.conv and sample.kind not in ("norm", "bias")
    ]


def test_weights_are_bit_by_bit_as_before(either: tuple[Part, ...], write: Write) -> None:
    before, patches = weights(either), Patches()
    for network in (everywhere(either, write), *of_every_kind(write)):
        for strength in (0.7, -2.0, 0.7):
            with patches.patched(either, [Wanted(network, strength, strength)]):
                assert not same_bits(weights(either), before)
            assert same_bits(weights(either), before)


def test_and_so_they_are_after_an_error_inside(either: tuple[Part, ...], write: Write) -> None:
    before = weights(either)
    with pytest.raises(KeyboardInterrupt), Patches().patched(either, [Wanted(everywhere(either, write))]):
        raise KeyboardInterrupt
    assert same_bits(weights(either), before)


def test_and_after_an_error_while_merging(
    either: tuple[Part, ...], write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, done = weights(either), []
    real = patch.merge

    def fails(weight: Tensor, contributions: object) -> None:
        real(weight, contributions)
        done.append(weight)
        if len(done) == 3:
            raise MemoryError

    monkeypatch.setattr(patch, "merge", fails)
    patches = Patches()
    with pytest.raises(MemoryError), patches.patched(either, [Wanted(everywhere(either, write))]):
        pass
    assert same_bits(weights(either), before)
    with patches.patched(either, [Wanted(everywhere(either, write))]):
        pass
    assert same_bits(weights(either), before)


def test_weights_that_a_file_can_give_back_are_merged_in_place(write: Write, merges: list[Tensor]) -> None:
    parts = model(from_file=True)
    addresses = {weight.data_ptr() for part in parts for weight in part.module.parameters()}
    with Patches().patched(parts, [Wanted(everywhere(parts, write))]):
        assert {weight.data_ptr() for weight in merges} <= addresses
        assert addresses == {weight.data_ptr() for part in parts for weight in part.module.parameters()}
    assert [part.source.read_again for part in parts if isinstance(part.source, Held)] == [
        ["conv_in.weight", "mid_block.attn.to_q.weight"],
        ["layers.0.to_q.weight"],
        ["layers.0.to_v.weight"],
    ]


def test_a_weight_that_was_changed_since_is_not_read_from_the_file(write: Write) -> None:
    parts = model(from_file=True)
    weight = parts[0].module.get_submodule("conv_in").get_parameter("weight")
    with torch.no_grad():
        weight += 1  # somebody trained it: the file does not hold it any more
    before = weights(parts)
    with Patches().patched(parts, [Wanted(everywhere(parts, write))]):
        pass
    assert same_bits(weights(parts), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_come_back_too(write: Write, dtype: torch.dtype) -> None:
    parts = model()
    for part in parts:
        part.module.to(dtype)
    before, network = weights(parts), everywhere(parts, write)
    plain = before["0.mid_block.attn.to_q.weight"].float()
    with Patches().patched(parts, [Wanted(network)]):
        merged = weights(parts)["0.mid_block.attn.to_q.weight"]
    delta = network.deltas["lora_unet_mid_block_attn_to_q"].delta(plain)
    assert torch.equal(merged, (plain + delta).to(dtype))
    assert same_bits(weights(parts), before)


def test_a_model_that_is_moved_meanwhile_keeps_its_weights(either: tuple[Part, ...], write: Write) -> None:
    before = weights(either)
    with Patches().patched(either, [Wanted(everywhere(either, write))]):
        for part in either:
            part.module.to(torch.float64)
    assert same_bits(weights(either), {key: value.double() for key, value in before.items()})


def test_the_order_of_networks_means_nothing(either: tuple[Part, ...], write: Write) -> None:
    networks = [everywhere(either, write, name, seed) for name, seed in (("a", 1), ("b", 20), ("c", 40))]
    results = []
    for some in permutations(networks):
        with Patches().patched(either, [Wanted(network, 0.3 + place / 7) for place, network in enumerate(networks)
                                        if network in some]):  # fmt: skip
            first = weights(either)
        with Patches().patched(either, [Wanted(network, 0.3 + networks.index(network) / 7) for network in some]):
            results.append(weights(either))
        assert same_bits(first, results[-1])
    assert all(same_bits(one, results[0]) for one in results)


def test_several_networks_add_up(either: tuple[Part, ...], write: Write) -> None:
    first, second = everywhere(either, write, "a", 1), everywhere(either, write, "b", 20)
    plain = weights(either)
    alone = []
    for network, strength in ((first, 0.5), (second, -0.25)):
        with Patches().patched(either, [Wanted(network, strength, strength)]):
            alone.append({key: value - plain[key] for key, value in weights(either).items()})
    with Patches().patched(either, [Wanted(first, 0.5, 0.5), Wanted(second, -0.25, -0.25)]):
        for key, value in weights(either).items():
            torch.testing.assert_close(value, plain[key] + alone[0][key] + alone[1][key])


def test_the_same_set_is_not_computed_again(either: tuple[Part, ...], write: Write, merges: list[Tensor]) -> None:
    network, patches = everywhere(either, write), Patches()
    with patches.patched(either, [Wanted(network, 0.5)]):
        once = weights(either)
    assert len(merges) == 4
    for _ in range(3):
        with patches.patched(either, [Wanted(network, 0.5)]):
            assert same_bits(weights(either), once)
        with patches.patched(either, []):
            pass
    assert len(merges) == 4


def test_a_changed_strength_costs_only_what_it_changes(
    either: tuple[Part, ...], write: Write, merges: list[Tensor]
) -> None:
    network, patches = everywhere(either, write), Patches()
    with patches.patched(either, [Wanted(network, 0.5, 1.0)]):
        pass
    merges.clear()
    with patches.patched(either, [Wanted(network, 0.25, 1.0)]):
        changed = weights(either)
    assert len(merges) == 2, "the text encoders were computed again"
    with Patches().patched(either, [Wanted(network, 0.25, 1.0)]):
        assert same_bits(weights(either), changed)


def test_where_there_is_no_room_nothing_is_remembered(
    either: tuple[Part, ...], write: Write, merges: list[Tensor]
) -> None:
    network, patches, before = everywhere(either, write), Patches(lambda device, needed: False), weights(either)
    for _ in range(2):
        with patches.patched(either, [Wanted(network)]):
            pass
        assert same_bits(weights(either), before)
        assert patches.remembered == 0
    assert len(merges) == 8


def test_what_is_remembered_goes_with_the_model(write: Write) -> None:
    patches, parts = Patches(), model()
    with patches.patched(parts, [Wanted(everywhere(parts, write))]):
        pass
    assert patches.remembered > 0
    del parts
    assert patches.remembered == 0


def test_patches_do_not_nest(parts: tuple[Part, ...], write: Write) -> None:
    network, patches, before = everywhere(parts, write), Patches(), weights(parts)
    with (
        pytest.raises(RuntimeError, match="nest"),
        patches.patched(parts, [Wanted(network)]),
        patches.patched(parts, [Wanted(network, 0.5)]),
    ):
        pass
    assert same_bits(weights(parts), before)


def test_nothing_stays_in_the_way_of_a_step(parts: tuple[Part, ...], write: Write) -> None:
    with Patches().patched(parts, [Wanted(everywhere(parts, write))]):
        assert not any(module._forward_hooks or module._forward_pre_hooks for module in parts[0].module.modules())


def test_addresses_stay_where_they_must(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot, "may_move", lambda tensor: False)
    for parts in (model(), model(from_file=True)):
        patches, network = Patches(), everywhere(parts, write)
        addresses = [weight.data_ptr() for part in parts for weight in part.module.parameters()]
        for strength in (1.0, 1.0, 0.5, 0.5):
            with patches.patched(parts, [Wanted(network, strength)]):
                assert addresses == [weight.data_ptr() for part in parts for weight in part.module.parameters()]
            assert addresses == [weight.data_ptr() for part in parts for weight in part.module.parameters()]


def test_whether_the_text_encoders_are_changed_is_told(parts: tuple[Part, ...], write: Write) -> None:
    both = everywhere(parts, write)
    unet = write(under("lora_unet_conv_in", lora(parts[0].module.get_submodule("conv_in"), 1)), "b")
    with Patches().patched(parts, [Wanted(both), Wanted(both, te=0.0), Wanted(unet)]) as applied:
        assert applied.in_text == (True, False, False)


def test_gradients_are_as_before_inside(parts: tuple[Part, ...], write: Write) -> None:
    for wanted in (True, False):
        with torch.set_grad_enabled(wanted), Patches().patched(parts, [Wanted(everywhere(parts, write))]):
            assert torch.is_grad_enabled() == wanted


def test_text_and_picture_have_their_own_strengths(parts: tuple[Part, ...], write: Write) -> None:
    plain, network = weights(parts), everywhere(parts, write)
    with Patches().patched(parts, [Wanted(network, unet=0.0, te=2.0)]):
        after = weights(parts)
    changed = {key for key in plain if not torch.equal(plain[key], after[key])}
    assert changed == {"1.layers.0.to_q.weight", "2.layers.0.to_v.weight"}
    delta = network.deltas["lora_te1_text_model_layers_0_to_q"].delta(plain["1.layers.0.to_q.weight"])
    torch.testing.assert_close(after["1.layers.0.to_q.weight"], plain["1.layers.0.to_q.weight"] + 2 * delta)


def test_copies_count(parts: tuple[Part, ...], write: Write) -> None:
    network = everywhere(parts, write)
    with Patches().patched(parts, [Wanted(network, 0.3, 0.3, copies=2)]):
        twice = weights(parts)
    with Patches().patched(parts, [Wanted(network, 0.6, 0.6)]):
        for key, value in weights(parts).items():
            torch.testing.assert_close(twice[key], value)


def test_blocks_have_their_own_strengths(parts: tuple[Part, ...], write: Write) -> None:
    unet = parts[0].module
    modules = ("down_blocks.0.attn.to_q", "mid_block.attn.to_q", "up_blocks.0.attn.to_q")
    network = write(
        {
            key: value
            for name in modules
            for key, value in under(f"unet.{name}", lora(unet.get_submodule(name), 1)).items()
        }
    )
    plain = weights(parts)
    weights_by_block = BlockWeights(1.0, (("IN01", 0.0), ("M00", 1.0), ("OUT01", 0.5)))
    with Patches().patched(parts, [Wanted(network, blocks=weights_by_block)]):
        after = weights(parts)
    for name, share in zip(modules, (0.0, 1.0, 0.5), strict=True):
        key = f"0.{name}.weight"
        torch.testing.assert_close(after[key], plain[key] + share * network.deltas[f"unet.{name}"].delta(plain[key]))


def test_keys_without_a_place_are_named(parts: tuple[Part, ...], write: Write) -> None:
    unet = parts[0].module
    fitting = under("lora_unet_conv_in", lora(unet.get_submodule("conv_in"), 1))
    nowhere = under("lora_unet_up_blocks_7_attn_to_q", lora(unet.get_submodule("conv_in"), 1))
    other_shape = {
        "lora_unet_mid_block_attn_to_q.lora_up.weight": torch.ones(8, 2),
        "lora_unet_mid_block_attn_to_q.lora_down.weight": torch.ones(2, 77),
    }
    no_bias = {
        "lora_unet_mid_block_attn_to_k.diff": torch.ones(8, 6),
        "lora_unet_mid_block_attn_to_k.diff_b": torch.ones(8),
    }
    unknown = {"position_ids": torch.ones(3), "lora_unet_conv_in_2.hada_w1_a": torch.ones(2, 2)}
    network = write({**fitting, **nowhere, **other_shape, **no_bias, **unknown})
    with Patches().patched(parts, [Wanted(network)]) as applied:
        pass
    expected = {*nowhere, *other_shape, *unknown, "lora_unet_mid_block_attn_to_k.diff_b"}
    assert set(applied.unused[0]) == expected


def test_biases_and_norms_are_changed(either: tuple[Part, ...], write: Write) -> None:
    plain = weights(either)
    network = write(
        {
            "lora_unet_conv_in.diff": torch.ones(8, 4, 3, 3),
            "lora_unet_conv_in.diff_b": torch.ones(8),
            "lora_unet_mid_block_norm.w_norm": torch.ones(8),
            "lora_unet_mid_block_norm.b_norm": torch.ones(8),
        }
    )
    with Patches().patched(either, [Wanted(network, 0.5)]) as applied:
        after = weights(either)
    assert applied.unused == ((),)
    for key in ("conv_in.weight", "conv_in.bias", "mid_block.norm.weight", "mid_block.norm.bias"):
        torch.testing.assert_close(after[f"0.{key}"], plain[f"0.{key}"] + 0.5)
    assert same_bits(weights(either), plain)


def test_biases_beside_low_rank_are_added(parts: tuple[Part, ...], write: Write) -> None:
    """A difference of its own as it is, that of an upper matrix (PEFT's lora_bias) scaled as the product is."""
    plain = weights(parts)
    out = {"lora_B.weight": torch.zeros(8, 2), "lora_A.weight": torch.zeros(2, 8), "lora_B.bias": torch.ones(8)}
    network = write(
        {
            **under(
                "lora_unet_conv_in", {**lora(parts[0].module.get_submodule("conv_in"), 1), "diff_b": torch.ones(8)}
            ),
            **under("unet.mid_block.attn.to_out.0", {**out, "alpha": torch.tensor(1.0)}),
        }
    )
    with Patches().patched(parts, [Wanted(network, 0.5)]) as applied:
        after = weights(parts)
    assert applied.unused == ((),)
    torch.testing.assert_close(after["0.conv_in.bias"], plain["0.conv_in.bias"] + 0.5)
    key = "0.mid_block.attn.to_out.0.bias"
    torch.testing.assert_close(after[key], plain[key] + 0.5 * 0.5)
    assert same_bits(weights(parts), plain)


def test_keys_that_no_formula_reads_are_named(parts: tuple[Part, ...], write: Write) -> None:
    module = {**lora(parts[0].module.get_submodule("conv_in"), 1), "rescale": torch.ones(8), "hada_t1": torch.ones(1)}
    network = write(under("lora_unet_conv_in", module))
    with Patches().patched(parts, [Wanted(network)]) as applied:
        pass
    assert set(applied.unused[0]) == {"lora_unet_conv_in.rescale", "lora_unet_conv_in.hada_t1"}


def test_an_inpainting_model_takes_networks_of_the_plain_one(parts: tuple[Part, ...], write: Write) -> None:
    unet = parts[0].module
    wide = torch.nn.Conv2d(9, 8, 3, padding=1).requires_grad_(False)
    network = write(under("lora_unet_conv_in", lora(unet.get_submodule("conv_in"), 1)))
    narrow_delta = network.deltas["lora_unet_conv_in"].delta(unet.get_submodule("conv_in").get_parameter("weight"))
    unet.register_module("conv_in", wide)
    plain = weights(parts)["0.conv_in.weight"]
    with Patches().patched(parts, [Wanted(network)]) as applied:
        after = weights(parts)["0.conv_in.weight"]
    assert applied.unused == ((),)
    torch.testing.assert_close(after[:, :4], plain[:, :4] + narrow_delta)
    assert torch.equal(after[:, 4:], plain[:, 4:])


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.kind != "norm"], ids=lambda one: one.label)
def test_beside_the_weights_the_result_is_the_same(sample: object, write: Write) -> None:
    module = torch.nn.ModuleDict({"layer": sample.module}).requires_grad_(False)  # type: ignore[attr-defined]
    network = write(under("layer", sample.tensors))  # type: ignore[attr-defined]
    x = torch.randn(2, 6, 5, 5) if sample.conv else torch.randn(2, 5, 6)  # type: ignore[attr-defined]
    wanted = [Wanted(network, 0.4), Wanted(network, -0.1)]
    part = Part(0, module)
    with Patches().patched([part], wanted):
        merged = module["layer"](x)
    if not network.deltas["layer"].depends_on_weight:
        with Patches().patched([part], wanted, beside=True):
            torch.testing.assert_close(module["layer"](x), merged, rtol=1e-4, atol=1e-5)
    with Patches().patched([part], wanted[:1]):
        merged = module["layer"](x)
    with Patches().patched([part], wanted[:1], beside=True):
        torch.testing.assert_close(module["layer"](x), merged, rtol=1e-4, atol=1e-5)
    plain = module["layer"](x)
    assert not torch.allclose(plain, merged)


def test_weights_in_eight_bits_are_left_alone(write: Write) -> None:
    class Eight(torch.nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return torch.nn.functional.linear(x, self.weight.to(x.dtype), self.bias)

    module = torch.nn.ModuleDict({"layer": Eight(6, 8)}).requires_grad_(False)
    module["layer"].weight.data = module["layer"].weight.data.to(torch.float8_e4m3fn)
    sample = next(one for one in SAMPLES if one.label == "half alpha")
    network, x = write(under("layer", sample.tensors)), torch.randn(3, 6)
    plain, before = module["layer"](x), module["layer"].weight.data
    with Patches().patched([Part(0, module)], [Wanted(network)]):
        assert module["layer"].weight.data is before or module["layer"].weight.data_ptr() == before.data_ptr()
        torch.testing.assert_close(module["layer"](x), plain + x @ sample.expected(torch.zeros(8, 6)).T)
