"""The accordions of the built-in always-on scripts: soft inpainting and outpainting."""

from __future__ import annotations

from modules.gui.i18n import label, param_key
from modules.gui.part_values import SCRIPTS
from modules.gui.widgets import Fields, Listing, param_field, switched_accordion
from modules.terms.declare import params_of

# Part -> field -> A1111's name of it in element ids. What A1111 does not have is called after its part.
ELEM_IDS = {
    "soft": {
        "enabled": "soft_inpainting_enabled",
        "schedule_bias": "mask_blend_power",
        "preservation_strength": "mask_blend_scale",
        "transition_contrast_boost": "inpaint_detail_preservation",
        "mask_influence": "composite_mask_influence",
        "difference_threshold": "composite_difference_threshold",
        "difference_contrast": "composite_difference_contrast",
    },
}


def script_part(fields: Fields, listing: Listing, part: str) -> None:
    """Builds the accordion of one of SCRIPTS."""
    options = SCRIPTS[part].options
    ids = ELEM_IDS.get(part, {})
    with switched_accordion(
        fields, part, param_key(options, "enabled"), elem_id=ids.get("enabled", f"img2img_{part}_enabled")
    ):
        for name, knob in params_of(options).items():
            if name == "enabled":
                continue
            param_field(
                fields,
                options,
                name,
                listing,
                part=part,
                elem_id=ids.get(name, f"img2img_{part}_{name}"),
                info=label(f"{param_key(options, name)}.help") if knob.help else None,
            )
