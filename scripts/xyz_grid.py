"""X/Y/Z plot: the same picture with up to three of its values varied, as a grid.

Extensions find this module as `xyz_grid.py` and append to `axis_options`. Source: spec/features.md §9.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import permutations
from typing import Any

from modules.built_in import BadRequest
from modules.plot_axes import (  # noqa: F401 - extensions look for all of them here
    AxisOption,
    AxisOptionImg2Img,
    AxisOptionTxt2Img,
    apply_checkpoint,
    apply_clip_skip,
    apply_face_restore,
    apply_field,
    apply_order,
    apply_override,
    apply_prompt,
    apply_size,
    apply_styles,
    apply_uni_pc_order,
    apply_vae,
    axis_options,
    boolean_choice,
    confirm_checkpoints,
    confirm_checkpoints_or_none,
    confirm_samplers,
    do_nothing,
    find_vae,
    format_nothing,
    format_remove_path,
    format_value,
    format_value_add_label,
    format_value_join_list,
    near,
    size_of,
    str_permutations,
)
from modules.processing import Processed, process_images

from modules import built_in, errors, images, processing, scripts, shared

SEEDS = ("Seed", "Var. seed")
TEXT_MODE_LABEL = "Use text inputs instead of dropdowns"


class Axis:
    """One axis of a plot as it was asked for. Raises: BadRequest for values that cannot be read."""

    def __init__(self, option: AxisOption, text: str, chosen: Sequence[str], by_text: bool, fixed: bool) -> None:
        self.option = option
        self.label = option.label
        self.entries: list[Any] = []
        if option.label == "Nothing":
            self.text = ""
            self.values: list[Any] = [0]
            return
        if option.choices is not None and not by_text:
            self.entries = list(chosen or [])
        else:
            self.entries = list(option.prepare(text)) if option.prepare is not None else built_in.listed(text or "")
        self.text = built_in.as_list(self.entries) if option.choices is not None and not by_text else text
        if not self.entries:
            raise BadRequest(f"{self.label} has no values. Write some, or press the button that fills them in.")
        if option.type == str_permutations:
            self.values = list(permutations(self.entries))
        else:
            self.values = built_in.typed(self.entries, option.type, self.label)
        if not self.values:
            raise BadRequest(f"{self.label}: {text!r} is an empty range.")
        if fixed and self.label in SEEDS:
            self.values = [processing.get_fixed_seed(value) for value in self.values]

    def confirmed(self, p: Any) -> Axis:
        if self.option.confirm is not None:
            self.option.confirm(p, self.values)
        return self

    def texts(self, p: Any) -> list[str]:
        return [str(self.option.format_value(p, self.option, value)) for value in self.values]


class Script(scripts.Script):
    """Draws the cells in the order that costs least, and sets them out as grids."""

    resumable = True

    def title(self) -> str:
        return "X/Y/Z plot"

    def options(self) -> list[AxisOption]:
        """The axes of this tab, those that extensions have added by now included."""
        return [one for one in axis_options if getattr(one, "is_img2img", self.is_img2img) == self.is_img2img]

    def __init__(self) -> None:
        self.axes = built_in.AxisFields(self.options, self.elem_id)

    def ui(self, is_img2img: bool) -> list[Any]:
        import gradio as gr

        def box(label: str, name: str, value: bool = False, **options: Any) -> Any:
            return gr.Checkbox(label=label, value=value, elem_id=self.elem_id(name), **options)

        self.current_axis_options = self.options()
        self.axes.build()
        with gr.Row():
            draw_legend = box("Draw legend", "draw_legend", True)
            no_fixed_seeds = box("Keep -1 for seeds", "no_fixed_seeds")
            csv_mode = box(TEXT_MODE_LABEL, "csv_mode", scale=2)
        with gr.Row():
            vary = [box(f"Vary seeds for {letter.upper()}", f"vary_seeds_{letter}", min_width=80) for letter in "xyz"]
        with gr.Row():
            lone = box("Include Sub Images", "include_lone_images")
            sub_grids = box("Include Sub Grids", "include_sub_grids")
            margin_size = gr.Slider(
                label="Grid margins (px)",
                minimum=0,
                maximum=500,
                value=0,
                step=2,
                min_width=200,
                elem_id=self.elem_id("margin_size"),
            )
        self.axes.build_swaps(csv_mode)
        self.infotext_fields = self.axes.infotext_fields
        return [*self.axes.components, draw_legend, lone, sub_grids, no_fixed_seeds, *vary, margin_size, csv_mode]

    def run(
        self,
        p: Any,
        x_type: int | str,
        x_values: str,
        x_values_dropdown: Sequence[str],
        y_type: int | str,
        y_values: str,
        y_values_dropdown: Sequence[str],
        z_type: int | str,
        z_values: str,
        z_values_dropdown: Sequence[str],
        draw_legend: bool,
        include_lone_images: bool,
        include_sub_grids: bool,
        no_fixed_seeds: bool,
        vary_seeds_x: bool,
        vary_seeds_y: bool,
        vary_seeds_z: bool,
        margin_size: int,
        csv_mode: bool,
    ) -> Any:
        if not no_fixed_seeds:
            processing.fix_seed(p)
        if not shared.opts.return_grid:
            p.batch_size = 1
        asked = (
            (x_type, x_values, x_values_dropdown),
            (y_type, y_values, y_values_dropdown),
            (z_type, z_values, z_values_dropdown),
        )
        axes = [
            Axis(self.axes.option(kind), text, menu, csv_mode, not no_fixed_seeds).confirmed(p)
            for kind, text, menu in asked
        ]
        plot = built_in.Plot(
            (len(axes[0].values), len(axes[1].values), len(axes[2].values)),
            (axes[0].option.cost, axes[1].option.cost, axes[2].option.cost),
            (p.width, p.height),
        )
        self.check_size(p, axes, plot)
        varied = [vary_seeds_x, vary_seeds_y, vary_seeds_z]
        drawn = self.draw_cells(p, axes, plot, varied)
        return self.finished(
            p, axes, plot, drawn, draw_legend, int(margin_size or 0), include_lone_images, include_sub_grids,
            not no_fixed_seeds,
        )  # fmt: skip

    def check_size(self, p: Any, axes: Sequence[Axis], plot: Any) -> None:
        """Raises: BadRequest if the grid would be larger than the settings allow."""
        sizes = [size_of(value) for axis in axes if axis.label == "Size" for value in axis.values]
        width, height = max(sizes, key=lambda size: size[0] * size[1], default=(p.width, p.height))
        count = plot.sizes[0] * plot.sizes[1] * plot.sizes[2]
        megapixels = round(count * width * height / 1_000_000)
        limit = shared.opts.img_max_size_mp
        if megapixels >= limit:
            raise BadRequest(
                f"The grid of {count} pictures would have {megapixels} megapixels; at most {limit} are allowed. Draw "
                'fewer or smaller pictures, or raise "Maximum image size" in Settings, Saving images/grids.'
            )

    def draw_cells(self, p: Any, axes: Sequence[Axis], plot: Any, varied: Sequence[bool]) -> dict[Any, Processed]:
        """What was drawn for each cell. Raises: WebuiError if none could be drawn."""
        drawn: dict[Any, Processed] = {}
        failure: Exception | None = None
        state = shared.state
        cells = list(plot.order())
        state.job_count = len(cells) * p.n_iter
        for number, cell in enumerate(cells):
            if state.interrupted or state.stopping_generation:
                break
            state.textinfo = f"{number + 1} of {len(cells)}"
            state.job_no = number * p.n_iter
            try:
                with state.framed(plot.live(cell)):
                    result = process_images(self.varied(p, axes, cell, plot, varied))
            except built_in.WebuiError as error:
                # One value that cannot be drawn leaves a blank tile: the others are worth having.
                failure = failure or error
                where = ", ".join(
                    axis.texts(p)[place]
                    for axis, place in zip(axes, (cell.x, cell.y, cell.z), strict=True)
                    if axis.label != "Nothing"
                )
                p.comment(f"X/Y/Z plot: {where} could not be drawn. {error}")
                errors.report(f"X/Y/Z plot: {where}")
                continue
            if result.images:
                drawn[cell] = result
                plot.pictures[cell] = result.images[0]
        if not drawn and failure is not None:
            raise failure
        return drawn

    def varied(self, p: Any, axes: Sequence[Axis], cell: Any, plot: Any, vary: Sequence[bool]) -> Any:
        """A copy of `p` with the values of a cell."""
        own = copy(p)
        own.styles, own.override_settings = list(p.styles), dict(p.override_settings)
        own.extra_generation_params = dict(p.extra_generation_params)
        places, step = (cell.x, cell.y, cell.z), 1
        for axis, place in zip(axes, places, strict=True):
            axis.option.apply(own, axis.values[place], axis.values)
        for place, size, enabled in zip(places, plot.sizes, vary, strict=True):
            if enabled:
                own.seed += place * step
                step *= size
        return own

    def finished(
        self,
        p: Any,
        axes: Sequence[Axis],
        plot: Any,
        drawn: dict[Any, Processed],
        legend: bool,
        margin: int,
        lone: bool,
        sub_grids: bool,
        fixed: bool,
    ) -> Processed:
        """Grids first, then the pictures, as far as they are wanted."""
        first = next(iter(drawn.values()), None)
        if first is None:
            return Processed(p, [], p.seed)
        across, down, above = (axis.texts(p) for axis in axes)
        depth = plot.sizes[2]
        sheets = [plot.sheet(z, across if legend else None, down if legend else None, margin) for z in range(depth)]
        texts = [self.grid_text(first, axes, whole=depth == 1, fixed=fixed) for _ in sheets]
        grids, infotexts = sheets, texts
        if depth > 1:
            whole = built_in.annotated(sheets, 1, above if legend else None, None, 0)
            grids = [whole, *(sheets if sub_grids else [])]
            infotexts = [self.grid_text(first, axes, whole=True, fixed=fixed), *(texts if sub_grids else [])]
        cells = [cell for cell in plot.cells() if cell in drawn] if lone else []
        samples = [drawn[cell] for cell in cells]
        result = Processed(
            p,
            [*grids, *(plot.pictures[cell] for cell in cells)],
            seed=first.seed,
            info=infotexts[0],
            subseed=first.subseed,
            all_prompts=[one.prompt if not one.all_prompts else one.all_prompts[0] for one in samples] or None,
            all_negative_prompts=[one.all_negative_prompts[0] for one in samples] or None,
            all_seeds=[one.all_seeds[0] for one in samples] or first.all_seeds,
            all_subseeds=[one.all_subseeds[0] for one in samples] or first.all_subseeds,
            index_of_first_image=len(grids),
            infotexts=[*infotexts, *(one.infotexts[0] for one in samples)],
        )
        if shared.opts.grid_save:
            for grid, text in zip(grids, infotexts, strict=True):
                images.save_image(
                    grid,
                    p.outpath_grids,
                    "xyz_grid",
                    info=text,
                    extension=shared.opts.grid_format,
                    prompt=first.prompt,
                    seed=first.seed,
                    grid=True,
                    p=p,
                )
        return result

    def grid_text(self, base: Processed, axes: Sequence[Axis], *, whole: bool, fixed: bool) -> str:
        """The infotext of a grid: that of its first picture, and what was varied. whole: along z too."""
        entries = {"Script": self.title()}
        for letter, axis in zip("XYZ", axes, strict=True):
            if axis.label == "Nothing" or (letter == "Z" and not whole):
                continue
            entries[f"{letter} Type"], entries[f"{letter} Values"] = axis.label, axis.text
            if axis.label in SEEDS and fixed:
                entries[f"Fixed {letter} Values"] = ", ".join(str(value) for value in axis.values)
        return str(built_in.with_entries(base.infotexts[0], entries))
