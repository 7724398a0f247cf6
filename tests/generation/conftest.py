"""A small random model on disk, in the original layout, with the whole vocabulary: any prompt can be drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.generation import Tools, open_tools
from tests.checkpoints.original_layout import tiny_sd1, write_sd1

TEXT = {"vocab_size": 49408, "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
# Three halvings, as in SD 1.x: sizes are multiples of 8.
VAE = {
    "block_out_channels": (32, 32, 32, 32),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("Stable-diffusion")
    write_sd1(folder / "tiny.safetensors", tiny_sd1(text=TEXT, vae=VAE))
    return folder


@pytest.fixture(scope="session")
def tools(model_folder: Path) -> Tools:
    return open_tools(model_folder, settings={"randn_source": "CPU"}, device="cpu")
