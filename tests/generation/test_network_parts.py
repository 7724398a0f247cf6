"""Every module of a loaded model is found under the name that its file gives it, and can be read from there again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from modules.checkpoints.load import Placement, load_checkpoint
from modules.generation.network_parts import PartsOf
from modules.networks.names import ModuleNames, Part
from modules.networks.network import read_network
from modules.networks.patch import Patches, Wanted
from tests.checkpoints.original_layout import tiny_sd1, write_sd1
from tests.checkpoints.test_open_clip_families import networks, write

Write = Callable[[Path], Path]
WRITERS: dict[str, Write] = {
    "SD 1": lambda path: write_sd1(path, tiny_sd1()),
    "SDXL": lambda path: write(path, networks(6)),
    "SDXL refiner": lambda path: write(path, networks(5, first=False)),
}
UNET = "model.diffusion_model."
TEXTS = {
    "cond_stage_model.transformer.": 1,
    "conditioner.embedders.0.transformer.": 1,
    "conditioner.embedders.1.model.": 2,
    "conditioner.embedders.0.model.": 2,
}


@pytest.fixture(scope="module", params=WRITERS)
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[tuple[Part, ...], dict[str, Tensor]]:
    """The parts of a model, cast to half precision, and the tensors of its file."""
    path = WRITERS[request.param](tmp_path_factory.mktemp("models") / "model.safetensors")
    with safe_open(path, "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
    bundle = load_checkpoint(path, Placement(unet=torch.float16, text=torch.float16))
    return PartsOf()(bundle), tensors


def groups(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Names as kohya forms them of those in the file -> the weight in the file."""
    prefixes = {UNET: "lora_unet_", **{prefix: f"lora_te{number}_" for prefix, number in TEXTS.items()}}
    found = {}
    for key, value in tensors.items():
        if not key.endswith(("weight", "in_proj_weight")) or "embedding" in key or value.ndim < 2:
            continue
        for prefix, kohya in prefixes.items():
            if key.startswith(prefix):
                found[kohya + key[len(prefix) : -len(".weight")].replace(".", "_")] = value
    return found


def test_every_module_is_found_by_its_name_in_the_file(
    loaded: tuple[tuple[Part, ...], dict[str, Tensor]],
) -> None:
    parts, tensors = loaded
    names, modules = ModuleNames(parts), {part.number: part.module for part in parts}
    for group, stored in groups(tensors).items():
        places = names.find(group)
        assert places, group
        joined = torch.cat([modules[place.part].get_submodule(place.path).get_parameter("weight") for place in places])
        assert torch.equal(joined.flatten(1), stored.flatten(1).half()), group


def test_text_encoders_are_found_under_kohyas_numbers(loaded: tuple[tuple[Part, ...], dict[str, Tensor]]) -> None:
    parts, _ = loaded
    names = ModuleNames(parts)
    for part in parts[1:]:
        (place,) = names.find(f"lora_te{part.number}_text_model_encoder_layers_0_self_attn_q_proj")
        assert place.part == part.number


def test_a_network_on_everything_comes_out_bit_by_bit(
    loaded: tuple[tuple[Part, ...], dict[str, Tensor]], tmp_path: Path
) -> None:
    parts, tensors = loaded
    before = [value.clone() for part in parts for value in part.module.state_dict().values()]
    deltas = {f"{group}.diff": torch.ones_like(value) for group, value in groups(tensors).items()}
    save_file(deltas, tmp_path / "full.safetensors")
    with Patches().patched(parts, [Wanted(read_network(tmp_path / "full.safetensors"))]) as applied:
        changed = [
            not torch.equal(one, value)
            for one, value in zip(before, (v for part in parts for v in part.module.state_dict().values()), strict=True)
        ]
    assert applied.unused == ((),)
    assert sum(changed) >= len(deltas)
    after = [value for part in parts for value in part.module.state_dict().values()]
    assert all(map(torch.equal, before, after))
