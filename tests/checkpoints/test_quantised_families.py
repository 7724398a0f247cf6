"""Transformers in quantised files: what they draw is what the unpacked weights draw, fused matrices included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    QwenImageTransformer2DModel,
)
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import T5Config, T5EncoderModel

from modules.checkpoints.companions import Companions
from modules.checkpoints.files import open_tensors
from modules.checkpoints.load import load_checkpoint
from modules.checkpoints.storage.layers import Stored, StoredEmbedding
from tests.checkpoints.flow_layout import FLUX_VAE_SCALE, T5, VAE, own_tensors, save
from tests.checkpoints.more_flow_layouts import (
    CHROMA,
    FRAMES,
    KLEIN,
    KLEIN_VAE,
    QWEN,
    chroma_original,
    klein_tensors,
    klein_vae_tensors,
    language_tensors,
    llama_tensors,
    random_network,
    tiny_language,
    wan_tensors,
    write_vocabulary,
)
from tests.checkpoints.original_layout import vae_tensors
from tests.checkpoints.quantised_files import write_fp8, write_gguf, write_nf4

WRITERS: dict[str, Callable[[Path, dict[str, Tensor]], Path]] = {
    "Q8_0": lambda path, tensors: write_gguf(path, tensors, "Q8_0", "flux"),
    "Q4_0": lambda path, tensors: write_gguf(path, tensors, "Q4_0", "flux"),
    "fp8": lambda path, tensors: write_fp8(path, tensors, chosen=large),
    "fp8 scaled": lambda path, tensors: write_fp8(path, tensors, scale_name="scale_weight", chosen=large),
    "nf4": lambda path, tensors: write_nf4(path, tensors, block=32),
}


def large(key: str, value: Tensor) -> bool:
    return value.ndim == 2 and value.shape[1] % 32 == 0


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the transformers lack: text encoders, quantised ones too, and autoencoders."""
    folder = tmp_path_factory.mktemp("beside")
    write_vocabulary(folder)
    save(folder / "ae.safetensors", vae_tensors(random_network(AutoencoderKL, **VAE, **FLUX_VAE_SCALE), ""))
    save(folder / "flux2.safetensors", klein_vae_tensors(random_network(AutoencoderKLFlux2, **KLEIN_VAE)))
    t5 = random_network(lambda: T5EncoderModel(T5Config(**T5)))
    write_fp8(folder / "t5xxl_fp8.safetensors", own_tensors(t5))
    write_gguf(folder / "qwen3.gguf", llama_tensors(tiny_language("Qwen3", 32, 28), False), "Q8_0", "qwen3")
    return folder


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("name", ["FLUX.2", "Chroma"])
@torch.no_grad()
def test_quantised_transformers_draw(tmp_path: Path, beside: Path, name: str, kind: str) -> None:
    klein = name == "FLUX.2"
    network: nn.Module = random_network(*((Flux2Transformer2DModel,) if klein else (ChromaTransformer2DModel,)),
                                        **(KLEIN if klein else CHROMA))  # fmt: skip
    tensors = klein_tensors(network) if klein else chroma_original(network)
    path = WRITERS[kind](tmp_path / "quantised", tensors)
    companions = Companions([beside])
    bundle = load_checkpoint(path, companions=companions)
    assert bundle.family.name == name
    fused = ["transformer_blocks.0.attn.to_k", "transformer_blocks.1.attn.add_v_proj"]
    assert all(isinstance(bundle.unet.get_submodule(path), Stored) for path in fused)
    state = open_tensors(path)
    meant = {key: state[key].float().contiguous() for key in state}
    save_file(meant, tmp_path / "meant.safetensors")
    same = load_checkpoint(tmp_path / "meant.safetensors", companions=companions)
    x = torch.randn(1, bundle.latent.channels, 4, 4)
    args = x, torch.tensor([500.0]), torch.randn(1, 6, bundle.context_width)
    assert float((bundle.predict(*args) - same.predict(*args)).abs().max()) <= 1e-4


@torch.no_grad()
def test_quantised_text_encoders_speak(tmp_path: Path, beside: Path) -> None:
    companions = Companions([beside])
    klein = random_network(Flux2Transformer2DModel, **KLEIN)
    bundle = load_checkpoint(save(tmp_path / "k.safetensors", klein_tensors(klein)), companions=companions)
    encoder = bundle.clips[0].model
    assert isinstance(encoder.get_submodule("embed_tokens"), StoredEmbedding)
    tokens = torch.tensor([[5, 70, 5, 9]])
    plain = tiny_language("Qwen3", 32, 28)(input_ids=tokens).last_hidden_state
    assert float((encoder(input_ids=tokens).last_hidden_state - plain).norm() / plain.norm()) < 0.1
    chroma = random_network(ChromaTransformer2DModel, **CHROMA)
    bundle = load_checkpoint(save(tmp_path / "c.safetensors", chroma_original(chroma)), companions=companions)
    t5 = bundle.clips[0].model
    assert isinstance(t5.get_submodule("encoder.block.0.layer.1.DenseReluDense.wo"), Stored)
    plain = random_network(lambda: T5EncoderModel(T5Config(**T5)))(input_ids=tokens).last_hidden_state
    assert float((t5(input_ids=tokens).last_hidden_state - plain).norm() / plain.norm()) < 0.15


def test_scaled_text_encoder_of_qwen_image(tmp_path: Path) -> None:
    """As ComfyUI's qwen_2.5_vl_7b_fp8_scaled: with eyes, which are left where they are."""
    beside = tmp_path / "beside"
    beside.mkdir()
    write_vocabulary(beside)
    tensors = language_tensors(tiny_language("Qwen2", 32)) | {"visual.blocks.0.attn.qkv.weight": torch.zeros(3, 3)}
    write_fp8(beside / "qwen_2.5_vl_7b_fp8_scaled.safetensors", tensors, scale_name="scale_weight", chosen=large)
    save(beside / "qwen_image_vae.safetensors", wan_tensors(random_network(AutoencoderKLQwenImage, **FRAMES)))
    network = random_network(QwenImageTransformer2DModel, **QWEN)
    path = save(tmp_path / "qwen_image.safetensors", dict(network.state_dict()))
    bundle = load_checkpoint(path, companions=Companions([beside]))
    assert isinstance(bundle.clips[0].model.get_submodule("layers.0.mlp.up_proj"), Stored)
