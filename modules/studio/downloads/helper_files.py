"""Files that the studio can use and does not bring along: what they are called, what they are for, where they are had.

Sentences about a missing file name it; `mentioned_in` finds the way to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modules.studio.flag_table import Flags
from modules.studio.placing import known_folders


@dataclass(frozen=True)
class HelperFile:
    """A file and where it is had. kind: as FileReport.kind."""

    name: str
    source: str
    kind: str

    @property
    def link(self) -> str:
        """The address of the file."""
        return f"{self.source}/{self.name}"


HUB = "https://huggingface.co"
FACES = "https://github.com/TencentARC/GFPGAN/releases/download"
ESRGAN = "https://github.com/xinntao/Real-ESRGAN/releases/download"
CONTROLNET = f"{HUB}/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main"
FLUX_TEXT = f"{HUB}/comfyanonymous/flux_text_encoders/resolve/main"

HELPERS = (
    HelperFile("taesd_decoder.safetensors", f"{HUB}/madebyollin/taesd/resolve/main", "taesd"),
    HelperFile("taesdxl_decoder.safetensors", f"{HUB}/madebyollin/taesdxl/resolve/main", "taesd"),
    HelperFile("codeformer.pth", "https://github.com/sczhou/CodeFormer/releases/download/v0.1.0", "face restorer"),
    HelperFile("GFPGANv1.4.pth", f"{FACES}/v1.3.0", "face restorer"),
    HelperFile("RestoreFormer.pth", f"{FACES}/v1.3.4", "face restorer"),
    HelperFile("RealESRGAN_x4plus.pth", f"{ESRGAN}/v0.1.0", "upscaler"),
    HelperFile("RealESRGAN_x4plus_anime_6B.pth", f"{ESRGAN}/v0.2.2.4", "upscaler"),
    HelperFile("RealESRGAN_x2plus.pth", f"{ESRGAN}/v0.2.1", "upscaler"),
    HelperFile("control_v11p_sd15_canny_fp16.safetensors", CONTROLNET, "controlnet"),
    HelperFile("control_v11p_sd15_openpose_fp16.safetensors", CONTROLNET, "controlnet"),
    HelperFile("control_v11f1p_sd15_depth_fp16.safetensors", CONTROLNET, "controlnet"),
    HelperFile("control_v11f1e_sd15_tile_fp16.safetensors", CONTROLNET, "controlnet"),
    HelperFile("control_v11p_sd15_inpaint_fp16.safetensors", CONTROLNET, "controlnet"),
    HelperFile("clip_l.safetensors", FLUX_TEXT, "text encoder"),
    HelperFile("t5xxl_fp8_e4m3fn.safetensors", FLUX_TEXT, "text encoder"),
    HelperFile("t5xxl_fp16.safetensors", FLUX_TEXT, "text encoder"),
    HelperFile(
        "vae-ft-mse-840000-ema-pruned.safetensors", f"{HUB}/stabilityai/sd-vae-ft-mse-original/resolve/main", "vae"
    ),
    HelperFile(
        "v1-5-pruned-emaonly.safetensors",
        f"{HUB}/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main",
        "checkpoint",
    ),
)
# Other names by which sentences ask for the same.
ALSO_CALLED = {
    "codeformer-v0.1.0.pth": "codeformer.pth",
    "t5-xxl": "t5xxl_fp8_e4m3fn.safetensors",
    "t5xxl": "t5xxl_fp8_e4m3fn.safetensors",
    "clip-l": "clip_l.safetensors",
    "codeformer": "codeformer.pth",
    "gfpgan": "GFPGANv1.4.pth",
    "taesdxl": "taesdxl_decoder.safetensors",
    "taesd": "taesd_decoder.safetensors",
}


def helper_called(name: str) -> HelperFile | None:
    """The file of this name, or of another name of it, whatever the case; None if it is not known."""
    wanted = ALSO_CALLED.get(name.lower(), name).lower()
    return next((helper for helper in HELPERS if helper.name.lower() == wanted), None)


def mentioned_in(sentence: str) -> tuple[HelperFile, ...]:
    """The files that `sentence`, about something that is missing, names or means; the longest names first."""
    text = sentence.lower()
    found = []
    for name in sorted([*(helper.name.lower() for helper in HELPERS), *ALSO_CALLED], key=len, reverse=True):
        if name in text:
            text = text.replace(name, " ")
            found.append(helper_called(name))
    return tuple(dict.fromkeys(helper for helper in found if helper))


def missing(flags: Flags, helpers: Iterable[HelperFile] = HELPERS) -> tuple[HelperFile, ...]:
    """Those of `helpers` that lie in no folder of models."""
    there = {path.name.lower() for folder in known_folders(flags) for path in _files(folder)}
    return tuple(helper for helper in helpers if helper.name.lower() not in there)


def _files(folder: Path) -> Iterable[Path]:
    return folder.rglob("*.*") if folder.is_dir() else ()
