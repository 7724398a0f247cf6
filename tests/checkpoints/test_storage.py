"""Quantised files: what they mean comes back within the error of their format, stays packed, and can be patched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modules.checkpoints.bundle import ModelBundle
from modules.checkpoints.files import open_tensors, read_header
from modules.checkpoints.inspect import inspect_file
from modules.checkpoints.load import Placement, load_checkpoint
from modules.checkpoints.needs import need_before
from modules.checkpoints.storage.layers import Stored, StoredConv2d, StoredEmbedding, StoredLinear, rows_seen
from modules.checkpoints.storage.packed import Ggml
from modules.networks.names import Part
from modules.networks.network import read_network
from modules.networks.patch import Patches, Wanted
from modules.terms.errors import UnknownFile
from tests.checkpoints.original_layout import sd1_tensors, tiny_sd1, write_sd1
from tests.checkpoints.quantised_files import nf4_parts, write_fp8, write_gguf, write_nf4

UNET = {
    "block_out_channels": (64, 64),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 64,
    "layers_per_block": 1,
}
TEXT = {"hidden_size": 64, "intermediate_size": 128}
FORMATS: dict[str, tuple[Callable[[Path, dict[str, Tensor]], Path], float]] = {
    "fp8 e4m3": (lambda path, tensors: write_fp8(path, tensors), 0.04),
    "fp8 e5m2": (lambda path, tensors: write_fp8(path, tensors, torch.float8_e5m2), 0.08),
    "fp8 scaled": (lambda path, tensors: write_fp8(path, tensors, scale_name="scale_weight"), 0.04),
    "fp8 scaled, newer name": (lambda path, tensors: write_fp8(path, tensors, scale_name="weight_scale"), 0.04),
    "Q8_0": (lambda path, tensors: write_gguf(path, tensors, "Q8_0"), 0.01),
    "Q5_1": (lambda path, tensors: write_gguf(path, tensors, "Q5_1"), 0.05),
    "Q5_0": (lambda path, tensors: write_gguf(path, tensors, "Q5_0"), 0.06),
    "Q4_1": (lambda path, tensors: write_gguf(path, tensors, "Q4_1"), 0.1),
    "Q4_0": (lambda path, tensors: write_gguf(path, tensors, "Q4_0"), 0.12),
    "F16": (lambda path, tensors: write_gguf(path, tensors, "F16"), 0.001),
    "nf4": (lambda path, tensors: write_nf4(path, tensors), 0.12),
    "nf4 with nested scales": (lambda path, tensors: write_nf4(path, tensors, nested=True), 0.12),
}  # fmt: skip


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return sd1_tensors(tiny_sd1(unet=UNET, text=TEXT))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    path = tmp_path_factory.mktemp("plain") / "plain.safetensors"
    return load_checkpoint(write_sd1(path, tiny_sd1(unet=UNET, text=TEXT)))


def drawn(bundle: ModelBundle) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(1, 4, 8, 8, generator=generator)
    cross = torch.randn(1, 5, bundle.context_width, generator=generator)
    with torch.inference_mode():
        return bundle.predict(x, torch.tensor([500.0]), cross)


def spoken(bundle: ModelBundle) -> Tensor:
    with torch.inference_mode():
        return bundle.clips[0].model(torch.tensor([[5, 9, 2, 5]]))[0]


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("name", FORMATS)
def test_weights_are_near_the_plain_ones(
    tmp_path: Path, tensors: dict[str, Tensor], plain: ModelBundle, name: str
) -> None:
    write, error = FORMATS[name]
    path = write(tmp_path / "model", tensors)
    state = open_tensors(path)
    key = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight"
    assert state.header.shape(key) == tensors[key].shape
    assert relative(state[key].float(), tensors[key]) < error
    bundle = load_checkpoint(path)
    assert bundle.family.name == "SD 1.x"
    # Errors of single weights add up on the way through the network.
    assert relative(drawn(bundle), drawn(plain)) < 4 * error
    assert relative(spoken(bundle), spoken(plain)) < 4 * error
    meant = {key: state[key].float() for key in state if key.startswith(("model.", "cond_", "first_"))}
    save_file(meant, tmp_path / "meant.safetensors")
    same = load_checkpoint(tmp_path / "meant.safetensors")
    assert relative(drawn(bundle), drawn(same)) < 1e-5
    assert relative(spoken(bundle), spoken(same)) < 1e-5


@pytest.mark.parametrize("name", ["fp8 e4m3", "fp8 scaled", "Q8_0", "Q4_0", "nf4"])
def test_layers_keep_the_stored_form(tmp_path: Path, tensors: dict[str, Tensor], name: str) -> None:
    path = FORMATS[name][0](tmp_path / "model", tensors)
    state, bundle = open_tensors(path), load_checkpoint(path)
    layer = bundle.unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn1.to_q")
    assert isinstance(layer, StoredLinear)
    key = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight"
    assert layer.weight.nbytes == state.header.tensors[key].nbytes
    assert torch.equal(layer.unpacked_weight(), state[key].float())
    assert isinstance(bundle.clips[0].model.get_input_embeddings(), StoredEmbedding)
    assert isinstance(bundle.unet.get_submodule("mid_block.resnets.0.conv1"), StoredConv2d) == name.startswith("fp8")
    assert bundle.unet.dtype == torch.float32


def test_needed_memory_counts_packed_bytes(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    eight = need_before(read_header(write_gguf(tmp_path / "eight", tensors, "Q8_0")), Placement()).weights
    four = need_before(read_header(write_gguf(tmp_path / "four", tensors, "Q4_0")), Placement()).weights
    full = need_before(read_header(write_gguf(tmp_path / "full", tensors, "F16")), Placement()).weights
    assert four < eight < full


KINDS = ("Q8_0", "Q5_0", "Q5_1", "Q4_0", "Q4_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "BF16")


@pytest.mark.parametrize("kind", KINDS)
def test_unpacking_agrees_with_the_reference(kind: str) -> None:
    quantised = gguf.GGMLQuantizationType[kind]
    size = gguf.GGML_QUANT_SIZES[quantised][1]
    rows, blocks = 3, 2
    data = np.random.default_rng(1).integers(0, 120, (rows, blocks * size), dtype=np.uint8)  # no exponent of infinity
    wanted = torch.from_numpy(gguf.dequantize(data, quantised).astype(np.float32))
    packing, stored = Ggml(kind), torch.from_numpy(data).view(torch.int8)
    found = packing.unpack(stored, {}, tuple(wanted.shape), torch.float32)
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-30)
    assert packing.unpack(stored, {}, tuple(wanted.shape), torch.bfloat16).dtype == torch.bfloat16


def test_bitsandbytes_would_read_the_same() -> None:
    functional = pytest.importorskip("bitsandbytes.functional", reason="bitsandbytes is not installed")
    weight = torch.randn(32, 128, generator=torch.Generator().manual_seed(1))
    packed, state = functional.quantize_4bit(weight, quant_type="nf4")
    parts = nf4_parts("weight", weight)
    assert torch.equal(packed.flatten(), parts["weight"].flatten())
    assert torch.allclose(state.absmax, parts["weight.absmax"])


@pytest.mark.parametrize("name", ["fp8 e4m3", "fp8 scaled", "Q8_0", "Q4_0", "nf4"])
@pytest.mark.parametrize("kind", ["lora", "loha", "full", "dora"])
def test_networks_apply_and_leave_no_trace(tmp_path: Path, tensors: dict[str, Tensor], name: str, kind: str) -> None:
    bundle = load_checkpoint(FORMATS[name][0](tmp_path / "model", tensors))
    path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    layer = bundle.unet.get_submodule(path)
    assert isinstance(layer, Stored)
    weight = layer.unpacked_weight()
    generator = torch.Generator().manual_seed(5)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.4

    rows, columns = weight.shape
    up, down = some(rows, 4), some(4, columns)
    group = f"lora_unet_{path.replace('.', '_')}"
    file: dict[str, dict[str, Tensor]] = {
        "lora": {"lora_up.weight": up, "lora_down.weight": down},
        "loha": {"hada_w1_a": up, "hada_w1_b": down, "hada_w2_a": up, "hada_w2_b": down},
        "full": {"diff": some(rows, columns)},
        "dora": {"lora_up.weight": up, "lora_down.weight": down, "dora_scale": 1 + some(1, columns)},
    }
    deltas = {
        "lora": up @ down,
        "loha": (up @ down) ** 2,
        "full": file["full"]["diff"],
        "dora": (weight + up @ down) * file["dora"]["dora_scale"] / (weight + up @ down).norm(dim=0) - weight,
    }
    save_file({f"{group}.{end}": value.clone() for end, value in file[kind].items()}, tmp_path / "network.safetensors")
    network = read_network(tmp_path / "network.safetensors")
    x, before = some(2, columns), layer.weight.clone()
    plain = layer(x)
    parts = [Part(0, bundle.unet, {}, None)]
    with Patches().patched(parts, [Wanted(network, unet=0.5)]) as applied:
        assert applied.unused == ((),)
        patched = layer(x)
    assert torch.allclose(patched, x @ (weight + 0.5 * deltas[kind]).T + layer_bias(layer), atol=1e-4)
    assert not torch.allclose(patched, plain, atol=1e-3)
    assert torch.equal(layer.weight, before)
    assert torch.equal(layer(x), plain)


def layer_bias(layer: nn.Module) -> Tensor:
    bias = layer._parameters.get("bias")
    return torch.zeros(1) if bias is None else bias


def test_rows_of_a_joined_weight_stay_packed() -> None:
    first = rows_seen(lambda tensor: tensor.chunk(3)[1], (6, 4))
    assert first is not None and first.tolist() == [2, 3]
    swapped = rows_seen(lambda tensor: torch.cat(tensor.chunk(2)[::-1]), (4, 4))
    assert swapped is not None and swapped.tolist() == [2, 3, 0, 1]
    assert rows_seen(lambda tensor: tensor.t(), (4, 4)) is None
    assert rows_seen(lambda tensor: tensor.view(-1), (4, 4)) is None


def test_gguf_is_inspected_by_its_header(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    report = inspect_file(write_gguf(tmp_path / "model.gguf", tensors, "Q8_0"))
    assert (report.kind, report.base) == ("checkpoint", "SD 1.x")
    assert "Q8_0" in report.dtypes


def test_what_cannot_be_unpacked_says_so(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = write_gguf(tmp_path / "model.gguf", tensors, "Q8_0")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnknownFile, match="cut off"):
        read_header(path)
    save_file({"a.weight": torch.zeros(2, 2, dtype=torch.int8), "a.SCB": torch.ones(2)}, tmp_path / "int8.safetensors")
    with pytest.raises(UnknownFile, match="8-bit integers"):
        read_header(tmp_path / "int8.safetensors")
    mark = torch.tensor(list(b'{"format": "nvfp4"}'), dtype=torch.uint8)
    save_file({"a.weight": torch.zeros(2, 2, dtype=torch.uint8), "a.comfy_quant": mark}, tmp_path / "n.safetensors")
    with pytest.raises(UnknownFile, match="nvfp4"):
        read_header(tmp_path / "n.safetensors")
