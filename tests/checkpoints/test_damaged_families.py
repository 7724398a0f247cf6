"""Files of which parts are missing or of other shapes are refused with a sentence, whatever family they began as."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    ChromaTransformer2DModel,
    Flux2Transformer2DModel,
    Lumina2Transformer2DModel,
    QwenImageTransformer2DModel,
    ZImageTransformer2DModel,
)
from torch import Tensor, nn

from modules.checkpoints.companions import Companions
from modules.checkpoints.inspect import inspect_file
from modules.checkpoints.load import load_checkpoint, load_vae
from modules.terms.errors import WebuiError
from tests.checkpoints.flow_layout import flux_tensors, own_tensors, prefixed, save, sd3_tensors, tiny_flux, tiny_sd3
from tests.checkpoints.more_flow_layouts import (
    CHROMA,
    FRAMES,
    KLEIN,
    KLEIN_VAE,
    LUMINA,
    QWEN,
    Z_IMAGE,
    chroma_original,
    klein_tensors,
    klein_vae_tensors,
    language_tensors,
    llama_tensors,
    lumina_tensors,
    random_network,
    tiny_language,
    wan_tensors,
    z_image_tensors,
)
from tests.checkpoints.original_layout import sd1_tensors, tiny_sd1

WHOLE: dict[str, Callable[[], dict[str, Tensor]]] = {
    "SD 1.x": lambda: sd1_tensors(tiny_sd1()),
    "SD 3": lambda: sd3_tensors(tiny_sd3().transformer),
    "FLUX.1": lambda: flux_tensors(tiny_flux().transformer)
    | prefixed("text_encoders.t5xxl.transformer.", own_tensors(tiny_flux().t5)),
    "Chroma": lambda: chroma_original(random_network(ChromaTransformer2DModel, **CHROMA)),
    "Z-Image": lambda: z_image_tensors(random_network(ZImageTransformer2DModel, **Z_IMAGE))
    | language_tensors(tiny_language("Qwen3", 32), "text_encoders.qwen3_4b.transformer.model."),
    "Lumina 2": lambda: lumina_tensors(random_network(Lumina2Transformer2DModel, **LUMINA, multiple_of=40))
    | prefixed("text_encoders.gemma2_2b.transformer.", llama_tensors(tiny_language("Gemma2", 32), True)),
    "Qwen-Image": lambda: random_network(QwenImageTransformer2DModel, **QWEN).state_dict()
    | prefixed("vae.", wan_tensors(random_network(AutoencoderKLQwenImage, **FRAMES))),
    "FLUX.2": lambda: klein_tensors(random_network(Flux2Transformer2DModel, **KLEIN))
    | prefixed("vae.", klein_vae_tensors(random_network(AutoencoderKLFlux2, **KLEIN_VAE))),
}  # fmt: skip


@cache
def whole(name: str) -> dict[str, Tensor]:
    return dict(WHOLE[name]())


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", WHOLE)
def test_missing_parts_are_told(tmp_path: Path, name: str, kept: float) -> None:
    for seed in range(4):
        chance = random.Random(f"{name} {kept} {seed}")
        some = {key: value for key, value in whole(name).items() if chance.random() < kept}
        _speaks(save(tmp_path / "part.safetensors", some))


@pytest.mark.parametrize("name", WHOLE)
def test_other_shapes_are_told(tmp_path: Path, name: str) -> None:
    for seed in range(4):
        chance = random.Random(f"{name} {seed}")
        bent = {
            key: torch.zeros([max(1, side + chance.choice((-1, 0, 0, 3))) for side in value.shape])
            if chance.random() < 0.3
            else value
            for key, value in whole(name).items()
        }
        _speaks(save(tmp_path / "bent.safetensors", bent))


@pytest.mark.parametrize("name", WHOLE)
def test_flat_tensors_are_told(tmp_path: Path, name: str) -> None:
    _speaks(save(tmp_path / "flat.safetensors", {key: torch.zeros(4) for key in whole(name)}))


@pytest.mark.parametrize("make", [wan_tensors, klein_vae_tensors])
def test_damaged_autoencoders_are_told(tmp_path: Path, make: Callable[[nn.Module], dict[str, Tensor]]) -> None:
    kind, config = (AutoencoderKLQwenImage, FRAMES) if make is wan_tensors else (AutoencoderKLFlux2, KLEIN_VAE)
    tensors = make(random_network(kind, **config))
    for seed in range(6):
        chance = random.Random(seed)
        some = {key: value for key, value in tensors.items() if chance.random() < 0.5 + seed / 12}
        path = save(tmp_path / "vae.safetensors", some)
        if len(some) < len(tensors):
            with pytest.raises(WebuiError):
                load_vae(path)


def _speaks(path: Path) -> None:
    """What can be said of `path` is said, or refused with a sentence: nothing else is raised."""
    for look in (inspect_file, lambda one: load_checkpoint(one, companions=Companions())):
        try:
            look(path)
        except WebuiError as error:
            assert str(error)
