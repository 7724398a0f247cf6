"""Upscaler files that everybody has, and what A1111 calls them. Names of old pictures are found by this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownFile:
    """`stem` is the name that its makers give the file, `folder` where A1111 keeps it."""

    name: str
    stem: str
    folder: str
    scale: float = 4.0


KNOWN = (
    KnownFile("R-ESRGAN 4x+", "RealESRGAN_x4plus", "RealESRGAN"),
    KnownFile("R-ESRGAN 4x+ Anime6B", "RealESRGAN_x4plus_anime_6B", "RealESRGAN"),
    KnownFile("R-ESRGAN 2x+", "RealESRGAN_x2plus", "RealESRGAN", 2.0),
    KnownFile("R-ESRGAN General 4xV3", "realesr-general-x4v3", "RealESRGAN"),
    KnownFile("R-ESRGAN General WDN 4xV3", "realesr-general-wdn-x4v3", "RealESRGAN"),
    KnownFile("R-ESRGAN AnimeVideo", "realesr-animevideov3", "RealESRGAN"),
    KnownFile("ESRGAN_4x", "ESRGAN_4x", "ESRGAN"),
    KnownFile("DAT x2", "DAT_x2", "DAT", 2.0),
    KnownFile("DAT x3", "DAT_x3", "DAT", 3.0),
    KnownFile("DAT x4", "DAT_x4", "DAT"),
    KnownFile("SwinIR 4x", "SwinIR_4x", "SwinIR"),
    KnownFile("ScuNET GAN", "scunet_color_real_gan", "ScuNET", 1.0),
    KnownFile("ScuNET PSNR", "scunet_color_real_psnr", "ScuNET", 1.0),
)
# Folder -> where its files are published.
PAGES = {
    "RealESRGAN": "https://github.com/xinntao/Real-ESRGAN/releases",
    "ESRGAN": "https://github.com/cszn/KAIR/releases",
    "DAT": "https://github.com/zhengchen1999/DAT",
    "SwinIR": "https://github.com/JingyunLiang/SwinIR/releases",
    "ScuNET": "https://github.com/cszn/KAIR/releases",
}
BY_STEM = {one.stem.lower(): one for one in KNOWN}
BY_NAME = {one.name.lower(): one for one in KNOWN}


def missing(name: str) -> str | None:
    """The sentence for somebody who asks for a well-known upscaler whose file is not there; None for other names."""
    one = BY_NAME.get(name.strip().lower()) or BY_STEM.get(name.strip().lower())
    if one is None:
        return None
    return (
        f"The upscaler {one.name} is not here. Put its file {one.stem}.pth (or .safetensors) from {PAGES[one.folder]} "
        f"into the folder models/{one.folder}, or choose another upscaler."
    )
