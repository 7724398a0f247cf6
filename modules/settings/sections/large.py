"""Pictures that are too large to be drawn or decoded at once."""

from __future__ import annotations

from modules.settings.setting import DIFFUSION, Section, section, setting
from modules.terms.declare import Choice, Slider

WHEN = ("Automatic", "Always", "Never")

SETTINGS = section(
    Section("large_pictures", "Large pictures", DIFFUSION),
    setting(
        "diffusion_tiling",
        "Draw in tiles",
        "Automatic",
        "Each step looks at overlapping windows of the picture and joins what it sees: memory and time for one step "
        "grow with the area only. Automatic: when the whole does not fit in memory, and on a processor above "
        "1536x1536. Best for hires fix and img2img; without them every window may draw the prompt anew.",
        Choice(WHEN, radio=True),
        infotext="Tiled diffusion",
    ),
    setting(
        "diffusion_tile_size",
        "Size of the windows",
        768,
        "Pixels. Best a little larger than what the checkpoint was trained on.",
        Slider(128, 2048, 64),
        infotext="Tiled diffusion size",
    ),
    setting(
        "diffusion_tile_overlap",
        "Overlap of the windows",
        192,
        "Pixels that neighbours share. More hides the seams better and takes longer.",
        Slider(0, 1024, 8),
        infotext="Tiled diffusion overlap",
    ),
    setting(
        "vae_tiling",
        "Decode and encode in tiles",
        "Automatic",
        "All tiles get the brightness and contrast of the whole, so no seams show. Automatic: above 1536x1536, and "
        "when the whole does not fit in memory.",
        Choice(WHEN, radio=True),
    ),
    setting(
        "vae_tile_size",
        "Size of the tiles",
        768,
        "Pixels. Smaller tiles take less memory and are a little less exact.",
        Slider(256, 2048, 64),
    ),
    setting(
        "vae_tile_overlap",
        "Overlap of the tiles",
        96,
        "Pixels over which one tile fades into the next.",
        Slider(0, 256, 8),
    ),
)
