"""A1111's upscaling in Extras, for extensions that call it by hand (`from scripts import postprocessing_upscale`)."""

from __future__ import annotations

from modules import scripts_postprocessing, shared  # noqa: F401 - reached through this module
from modules.a1111.bound import work_now
from modules.a1111.missing import refusing


class ScriptPostprocessingUpscale(scripts_postprocessing.ScriptPostprocessing):
    name = "Upscale"
    order = 1000

    def process(
        self,
        pp,
        upscale_enabled=True,
        upscale_mode=0,
        upscale_by=2.0,
        max_side_length=0,
        upscale_to_width=None,
        upscale_to_height=None,
        upscale_crop=False,
        upscaler_1_name=None,
        upscaler_2_name=None,
        upscaler_2_visibility=0.0,
    ):
        """Enlarges `pp.image` as Extras does. Raises: WebuiError outside of a job, NotFound for an unknown upscaler."""
        from modules.enhance.upscaler import Work
        from modules.generation.postprocessing.step import Piece
        from modules.generation.postprocessing.upscale import upscale
        from modules.terms.extras import ExtrasRequest, Upscaling

        if not upscale_enabled or upscaler_1_name in (None, "None"):
            return
        tools = work_now("Upscale").tools
        asked = Upscaling(
            mode=int(upscale_mode or 0),
            scale=float(upscale_by),
            max_side=int(max_side_length or 0),
            width=int(upscale_to_width or pp.image.width),
            height=int(upscale_to_height or pp.image.height),
            crop=bool(upscale_crop),
            upscaler=upscaler_1_name,
            upscaler_2=upscaler_2_name or "None",
            upscaler_2_visibility=float(upscaler_2_visibility or 0),
        )
        (made,) = upscale(Piece(pp.image), ExtrasRequest(upscaling=asked), tools, Work(tools.settings))
        pp.image = made.image
        pp.info.update(made.entries)
        if made.target is not None:
            pp.shared.target_width, pp.shared.target_height = made.target


__getattr__ = refusing("scripts.postprocessing_upscale")
