"""Models of transformers and flows: SD 3, FLUX and their kin, which often come without text encoders and VAE."""

from __future__ import annotations

from modules.settings.setting import DIFFUSION, Section, section, setting
from modules.terms.declare import Choice, Slider

SETTINGS = section(
    Section("flow", "SD 3, FLUX and others", DIFFUSION),
    setting(
        "forge_additional_modules",
        "VAE / text encoders",
        (),
        "Used in place of what a checkpoint has inside or what would be found for it in models/text_encoder and "
        'models/VAE. "modules" in the .json beside a checkpoint goes before.',
        Choice(listing="text_encoders", many=True),
    ),
    setting(
        "flow_shift",
        "Shift of the noise levels",
        0.0,
        "More gives composition more steps, less gives them to detail. 0: as the model was made (3 for SD 3, by size "
        "for FLUX).",
        Slider(0, 12, 0.05),
        infotext="Shift",
    ),
)
