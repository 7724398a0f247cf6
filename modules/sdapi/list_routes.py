"""What there is to choose from, under A1111's addresses."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from modules.sdapi.needs import Studio

# Address under /sdapi/v1 -> name of the studio's list.
LISTS = {
    "samplers": "samplers",
    "schedulers": "schedulers",
    "upscalers": "upscalers",
    "latent-upscale-modes": "latent_upscale_modes",
    "sd-models": "checkpoints",
    "sd-vae": "vae",
    "hypernetworks": "hypernetworks",
    "face-restorers": "face_restorers",
    "realesrgan-models": "realesrgan_models",
    "prompt-styles": "styles",
    "loras": "loras",
    "extensions": "extensions",
}
REFRESHES = {
    "refresh-checkpoints": "checkpoints",
    "refresh-vae": "vae",
    "refresh-embeddings": "embeddings",
    "refresh-loras": "loras",
}


def routes(studio: Studio) -> APIRouter:
    router = APIRouter(prefix="/sdapi/v1", tags=["lists"])
    for path, name in LISTS.items():
        _add_list(router, studio, path, name)
    for path, name in REFRESHES.items():
        _add_refresh(router, studio, path, name)

    @router.get("/embeddings")
    def embeddings() -> dict[str, dict[str, Any]]:
        """Textual inversions that fit the loaded model, and those that do not."""
        rows = studio.details("embeddings")
        facts = ("step", "sd_checkpoint", "sd_checkpoint_name", "shape", "vectors")
        sides: dict[str, dict[str, Any]] = {"loaded": {}, "skipped": {}}
        for row in rows:
            side = "skipped" if row.get("skipped") else "loaded"
            sides[side][str(row["name"])] = {fact: row.get(fact) for fact in facts}
        return sides

    @router.get("/scripts")
    def scripts() -> dict[str, list[str]]:
        """Titles of the scripts of each tab, in lower case."""
        rows = studio.details("scripts")
        return {
            "txt2img": [str(row["name"]).lower() for row in rows if not row["is_img2img"]],
            "img2img": [str(row["name"]).lower() for row in rows if row["is_img2img"]],
        }

    @router.get("/script-info")
    def script_info() -> list[dict[str, Any]]:
        """The scripts with their arguments."""
        return [{**row, "name": str(row["name"]).lower()} for row in studio.details("scripts")]

    return router


def _add_list(router: APIRouter, studio: Studio, path: str, name: str) -> None:
    # Plain functions run in the server's threads: the first look at the samplers may import torch.
    @router.get(f"/{path}", name=path, operation_id=path.replace("-", "_"))
    def listed() -> list[dict[str, Any]]:
        return studio.details(name)


def _add_refresh(router: APIRouter, studio: Studio, path: str, name: str) -> None:
    @router.post(f"/{path}", name=path, operation_id=path.replace("-", "_"))
    def refresh() -> None:
        studio.refresh(name)
