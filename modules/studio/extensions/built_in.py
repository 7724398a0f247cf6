"""Extensions that cannot run here, since they rebuild A1111's own engine, and whose work the studio does itself."""

from __future__ import annotations

DONE_HERE = {
    "sd-webui-controlnet": "ControlNet is built in: open ControlNet in txt2img or img2img. Its models are found in "
    "models/ControlNet, its texts are read, and its API keeps its addresses and names.",
    "multidiffusion-upscaler-for-automatic1111": "Tiled Diffusion and Tiled VAE are built in: Settings, Large "
    'pictures, "Draw in tiles" and "Decode and encode in tiles". The script SD upscale enlarges tile by tile.',
}


def done_here(name: str) -> str:
    """What takes the place of the extension in a folder of that name, as a sentence; "" if it can run."""
    instead = DONE_HERE.get(name.lower(), "")
    return f"It is made of A1111's own networks and cannot run here, so it stays off. {instead}" if instead else ""
