"""What the studio's own scripts use beyond A1111's modules."""

from __future__ import annotations

from modules.a1111.operations import operations  # noqa: F401
from modules.a1111.plot import Cell, Plot, annotated  # noqa: F401
from modules.a1111.plot_fields import AxisFields  # noqa: F401
from modules.generation.axis_values import as_list, listed, typed  # noqa: F401
from modules.generation.infotext import take_apart, write
from modules.generation.outpaint_mk2 import Mk2, outpaint_mk2  # noqa: F401
from modules.generation.outpaint_tiles import OutpaintTiles, outpaint_tiles  # noqa: F401
from modules.imaging.tile_grid import TileGrid  # noqa: F401
from modules.prompt import variants  # noqa: F401
from modules.prompt.wildcards import Wildcards  # noqa: F401
from modules.terms.errors import BadRequest, NotFound, WebuiError  # noqa: F401


def with_entries(infotext, more):
    """`infotext` with more entries, in front of what says the version."""
    parts = take_apart(infotext)
    last = {key: parts.entries.pop(key) for key in ("Version", "User") if key in parts.entries}
    return write(parts.prompt, parts.negative_prompt, {**parts.entries, **more, **last})


def outpainted(p, options, by):
    """What outpainting makes of `p`, saved: `by(request, options, draw)`, with always-on scripts at each pass."""
    from modules.processing import Processed

    from modules import images, shared
    from modules.a1111 import drawing  # comes with torch
    from modules.a1111.bound import work_now

    work = work_now("outpainting")
    settings = work.settings

    def draw(request, number, count):
        shared.state.job_count = count
        return drawing.draw_part(p, request)

    result = by(p.to_request(), options, draw)
    texts = [image.infotext for image in result.images]
    if settings["samples_save"]:
        for image in result.images:
            images.save_image(
                image.image,
                p.outpath_samples,
                "",
                image.seed,
                image.prompt,
                shared.opts.samples_format,
                info=image.infotext,
                p=p,
            )
    return Processed(p, [image.image for image in result.images], result.seeds[0], texts[0], infotexts=texts)


def __getattr__(name):
    if name == "Inversion":  # Comes with torch, which scripts do not need to be listed.
        from modules.generation.inversion import Inversion

        return Inversion
    raise AttributeError(name)
