"""When a picture is too large to be drawn at once, and how it is then cut."""

from __future__ import annotations

from typing import Any

from modules.checkpoints.bundle import ModelBundle
from modules.diffusion.tiled import GRID, WindowPlan
from modules.generation.switches import Settings

# Above this many pixels decoding takes many gigabytes with the VAEs that are around, and on a processor attention,
# whose time grows with the square of the area, takes longer than everything else.
LARGE = 1536 * 1536


def window_plan(
    settings: Settings, bundle: ModelBundle, width: int, height: int, *, seamless: bool
) -> WindowPlan | None:
    """The windows that `bundle` sees a picture of that size through; None: it sees it whole, whatever happens.

    seamless: the picture's edges shall meet, which windows cannot see; it is cut only if the settings insist.
    """
    wanted = settings["diffusion_tiling"]
    if wanted == "Never" or (seamless and wanted != "Always"):
        return None
    downscale = bundle.latent.downscale
    side = max(GRID, settings["diffusion_tile_size"] // downscale // GRID * GRID)
    overlap = min(settings["diffusion_tile_overlap"] // downscale, side - GRID)
    slow = bundle.device.type == "cpu" and width * height > LARGE
    return WindowPlan(side, overlap, active=wanted == "Always" or slow)


def entries(plan: WindowPlan | None, settings: Settings, width: int, height: int) -> dict[str, Any]:
    """Infotext entries of a picture of that size drawn with `plan`: none if it was seen whole after all."""
    if plan is None or not plan.active or max(width, height) <= settings["diffusion_tile_size"]:
        return {}
    return {
        "Tiled diffusion": "Always",
        "Tiled diffusion size": settings["diffusion_tile_size"],
        "Tiled diffusion overlap": settings["diffusion_tile_overlap"],
    }
