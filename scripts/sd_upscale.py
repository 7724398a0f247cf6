"""SD upscale: a picture enlarged, and img2img over overlapping tiles of it. Source: spec/features.md §8."""

from __future__ import annotations

import math
from typing import Any

from modules.built_in import BadRequest
from modules.processing import Processed, process_images

from modules import built_in, images, processing, scripts, shared


class Script(scripts.Script):
    resumable = True

    def title(self) -> str:
        return "SD upscale"

    def show(self, is_img2img: bool) -> bool:
        return is_img2img

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        info = gr.HTML("<p>Enlarges the picture by the scale; width and height are those of the tiles.</p>")
        overlap = gr.Slider(
            minimum=0, maximum=256, step=16, label="Tile overlap", value=64, elem_id=self.elem_id("overlap")
        )
        scale_factor = gr.Slider(
            minimum=1.0, maximum=4.0, step=0.05, label="Scale Factor", value=2.0, elem_id=self.elem_id("scale_factor")
        )
        names = [one.name for one in shared.sd_upscalers]
        upscaler = gr.Radio(
            label="Upscaler",
            choices=names,
            value=names[0] if names else None,
            type="index",
            elem_id=self.elem_id("upscaler_index"),
        )
        return [info, overlap, upscaler, scale_factor]

    def run(self, p: Any, _: Any, overlap: int, upscaler_index: int | str, scale_factor: float) -> Any:
        processing.fix_seed(p)
        upscaler = upscaler_of(upscaler_index)
        if not 0 <= overlap < min(p.width, p.height):
            raise BadRequest(f"SD upscale: tiles of {p.width}x{p.height} cannot overlap by {overlap} pixels.")
        p.extra_generation_params |= {"SD upscale overlap": overlap, "SD upscale upscaler": upscaler.name}
        picture = images.flatten(p.init_images[0], shared.opts.img2img_background_color)
        if upscaler.name != "None":
            picture = upscaler.scaler.upscale(picture, scale_factor, upscaler.data_path)
        grid = built_in.TileGrid.over(picture.size, (p.width, p.height), int(overlap))
        tiles = grid.split(picture)
        batch, count, seed = p.batch_size, p.n_iter, p.seed
        p.n_iter = 1
        p.do_not_save_grid = p.do_not_save_samples = True
        state = shared.state
        state.job_count = math.ceil(len(tiles) / batch) * count
        pictures, infotexts, first = [], [], None
        for turn in range(count):
            p.seed = seed + turn
            done: list[Any] = []
            for start in range(0, len(tiles), batch):
                if state.interrupted or state.stopping_generation:
                    break
                p.init_images = tiles[start : start + batch]
                p.batch_size = len(p.init_images)
                state.textinfo = f"{start // batch + 1} of {math.ceil(len(tiles) / batch)}"
                result = process_images(p)
                first = first or result
                p.seed = result.seed + 1
                done += result.images
            if not done:
                break
            # Of an interrupted picture the rest is enlarged only.
            pictures.append(grid.joined([*done, *tiles[len(done) :]]))
            infotexts.append(first.infotexts[0] if first else "")
            if shared.opts.samples_save:
                images.save_image(
                    pictures[-1],
                    p.outpath_samples,
                    "",
                    seed + turn,
                    p.prompt,
                    shared.opts.samples_format,
                    info=infotexts[-1],
                    p=p,
                )
        return Processed(p, pictures, seed, infotexts[0] if infotexts else "", infotexts=infotexts)


def upscaler_of(chosen: int | str | None) -> Any:
    """The upscaler of that place or name. Raises: BadRequest."""
    known = list(shared.sd_upscalers)
    if isinstance(chosen, str):
        found = next((one for one in known if one.name.lower() == chosen.lower()), None)
        if found is None:
            raise BadRequest(f"SD upscale: no upscaler {chosen!r}. There are: {', '.join(one.name for one in known)}.")
        return found
    number = int(chosen or 0)
    if not 0 <= number < len(known):
        raise BadRequest(f"SD upscale: upscalers are 0 to {len(known) - 1}, not {number}.")
    return known[number]
