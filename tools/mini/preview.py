"""A linear guess at the picture inside a latent: what the studio's live preview draws with.

    python -m tools.mini.preview models/Stable-diffusion/atelier-mini.safetensors

writes the factors into the file's metadata (`atelier.latent_rgb`); the weights stay as they are.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import avg_pool2d

from tools.mini import export, scenes

KEY = "atelier.latent_rgb"
SCALE = 0.18215
PICTURES = 96


@torch.no_grad()
def latent_rgb(vae: AutoencoderKL, size: int = 128) -> str:
    """JSON of the factors (4 x RGB) and the bias that fit scaled latents to the mean colour of 8 x 8 pixels best, in
    [-1, 1], by least squares over drawn scenes."""
    rng = random.Random(0)
    drawn = [np.asarray(scenes.draw(scenes.random_scene(rng), seed, size)) for seed in range(PICTURES)]
    pixels = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).float() / 127.5 - 1
    latents = torch.cat([vae.encode(some).latent_dist.mean for some in pixels.split(16)]) * SCALE
    rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    colours = avg_pool2d(pixels, 8).permute(0, 2, 3, 1).reshape(-1, 3)
    fitted = torch.linalg.lstsq(torch.cat([rows, torch.ones(len(rows), 1)], dim=1), colours).solution
    table = [[round(float(value), 4) for value in row] for row in fitted]
    return json.dumps({"factors": table[:-1], "bias": table[-1]})


def main(file: Path) -> None:
    with safe_open(file, "pt") as opened:
        about = dict(opened.metadata() or {})
        tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118 - no mapping
    about[KEY] = latent_rgb(export.read(file).vae, int(about.get("size", 128)))
    part = file.with_suffix(".part")
    save_file(tensors, part, metadata=about)
    part.chmod(0o644)
    part.replace(file)
    print(about[KEY])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
