"""The fields that txt2img and img2img share, in A1111's arrangement and with its element ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.gui import paste
from modules.gui.i18n import label
from modules.gui.listing import listing_of
from modules.gui.needs import Studio
from modules.gui.widgets import (
    Fields,
    Listing,
    fresh_choices,
    param_field,
    private,
    script,
    switched_accordion,
    tool_button,
)
from modules.settings.store import Settings
from modules.terms.request import GenerationRequest, Refiner

SIZES = (
    "512 × 512",
    "512 × 768",
    "768 × 512",
    "768 × 768",
    "1024 × 1024",
    "832 × 1216",
    "1216 × 832",
    "896 × 1152",
    "1152 × 896",
)


@dataclass(frozen=True)
class Tab:
    """What the page needs to know of a generating tab once it is built.

    pictures: its canvases, by name; they are handed over at Generate and kept in the draft beside `fields`.
    scripts: what scripts of extensions get at Generate; kept_scripts: those of them that a draft can hold.
    send: the buttons below its gallery that take a picture elsewhere, by target.
    """

    name: str
    fields: Fields
    pictures: Fields = field(default_factory=Fields)
    scripts: Fields = field(default_factory=Fields)
    kept_scripts: Fields = field(default_factory=Fields)
    send: Mapping[str, gr.Button] = field(default_factory=dict)

    @property
    def everything(self) -> Fields:
        """The fields and then the pictures, as one."""
        return Fields({**self.fields.components, **self.pictures.components})

    @property
    def asked(self) -> Fields:
        """What Generate hands over."""
        return Fields({**self.everything.components, **self.scripts.components})

    @property
    def draft(self) -> Fields:
        """What a reload of the page does not lose."""
        return Fields({**self.everything.components, **self.kept_scripts.components})


def refreshed(studio: Studio, fields: Fields) -> list[Any]:
    """Updates for the fields whose choices the studio knows, in their order."""
    return [gr.update(choices=choices) for choices in fresh_choices(fields, listing_of(studio, hiding=True)).values()]


def changes(components: Sequence[Component]) -> list[Any]:
    """Their change events; every kind of field has one, though not their common class."""
    return [getattr(component, "change") for component in components]  # noqa: B009


def sampling_row(tab: str, fields: Fields, listing: Listing, settings: Settings) -> None:
    """Sampler, schedule and steps."""
    own, radio = GenerationRequest, not settings["samplers_in_dropdown"]
    # All samplers at once need the width of the column.
    with (gr.Column if radio else gr.Row)(elem_id=f"sampler_selection_{tab}", elem_classes=[] if radio else ["three"]):
        first = _first_sampler(listing)
        param_field(fields, own, "sampler", listing, elem_id=f"{tab}_sampling", value=first, radio=radio)
        param_field(fields, own, "scheduler", listing, elem_id=f"{tab}_scheduler", radio=radio)
        param_field(fields, own, "steps", listing, elem_id=f"{tab}_steps")


@contextmanager
def settings_column(tab: str, settings: Settings) -> Iterator[None]:
    """The left side of a tab; inside of an accordion if that is wished for."""
    with gr.Column(elem_id=f"{tab}_settings", elem_classes=["settings-column"], scale=1, min_width=320):
        if not settings[f"{tab}_settings_accordion"]:
            yield
            return
        with gr.Accordion(label("page.settings_accordion"), open=False, elem_id=f"{tab}_settings_accordion"):
            yield


@contextmanager
def dimensions_row(tab: str, settings: Settings, *classes: str) -> Iterator[Callable[[Fields, Listing], None]]:
    """The row of the size, at whose end the batch stands, or below it. Hands out what builds the batch."""
    together = settings["dimensions_and_batch_together"]
    after: list[tuple[Fields, Listing]] = []

    def batch(fields: Fields, listing: Listing) -> None:
        if together:
            batch_column(tab, fields, listing)
        else:
            after.append((fields, listing))

    with gr.Row(elem_id=f"{tab}_dimensions_row", elem_classes=["dimensions", *classes]):
        yield batch
    for fields, listing in after:
        with gr.Row(elem_id=f"{tab}_batch_row"):
            batch_column(tab, fields, listing)


def _first_sampler(listing: Listing) -> str:
    offered = listing("samplers")
    return "DPM++ 2M" if "DPM++ 2M" in offered or not offered else offered[0]


def refiner_part(tab: str, fields: Fields, listing: Listing) -> None:
    """The accordion of the second checkpoint."""
    with (
        switched_accordion(fields, "refiner", "page.refiner", elem_id=f"{tab}_enable"),
        gr.Row(elem_id=f"{tab}_refiner_row", elem_classes=["two"]),
    ):
        param_field(fields, Refiner, "checkpoint", listing, part="refiner", elem_id=f"{tab}_checkpoint")
        param_field(fields, Refiner, "switch_at", listing, part="refiner", elem_id=f"{tab}_switch_at")


def size_columns(tab: str, fields: Fields, listing: Listing) -> gr.Column:
    """Width and height, and beside them a column with their tools, to which a tab may add."""
    own = GenerationRequest
    with gr.Column(elem_id=f"{tab}_column_size", elem_classes=["size-column"], scale=4, min_width=200):
        width = param_field(fields, own, "width", listing, elem_id=f"{tab}_width")
        height = param_field(fields, own, "height", listing, elem_id=f"{tab}_height")
    tools = gr.Column(elem_id=f"{tab}_size_tools", elem_classes=["size-tools"], scale=0, min_width=44)
    with tools:
        swap = tool_button("page.swap_size", elem_id=f"{tab}_res_switch_btn", icon="swap")
        presets = gr.Dropdown(
            list(SIZES),
            value=None,
            label=label("page.size_presets"),
            show_label=False,
            container=False,
            filterable=False,
            elem_id=f"{tab}_size_presets",
            elem_classes=["preset-menu", "icon-sizes"],
            min_width=44,
        )
    size = [width, height]
    swap.click(fn=None, js=script("swapSize"), inputs=size, outputs=size, **private())
    presets.input(fn=None, js=script("pickSize"), inputs=presets, outputs=[*size, presets], **private())
    return tools


def batch_column(tab: str, fields: Fields, listing: Listing) -> None:
    """Batch count and batch size."""
    with gr.Column(elem_id=f"{tab}_column_batch", elem_classes=["batch-column"], scale=4, min_width=200):
        param_field(fields, GenerationRequest, "n_iter", listing, elem_id=f"{tab}_batch_count")
        param_field(fields, GenerationRequest, "batch_size", listing, elem_id=f"{tab}_batch_size")


def seed_rows(tab: str, fields: Fields, listing: Listing) -> None:
    """The seed with its tools, and behind "Extra" the variation seed."""
    own = GenerationRequest
    with gr.Row(elem_id=f"{tab}_seed_row", elem_classes=["seed-row"]):
        seed = param_field(fields, own, "seed", listing, elem_id=f"{tab}_seed", min_width=120)
        dice = tool_button("page.random_seed", elem_id=f"{tab}_random_seed", icon="dice")
        reuse = tool_button("page.reuse_seed", elem_id=f"{tab}_reuse_seed", icon="reuse")
        extra = gr.Checkbox(
            False,
            label=label("page.seed_extra"),
            elem_id=f"{tab}_subseed_show",
            elem_classes=["seed-extra"],
            scale=0,
            min_width=90,
        )
        fields.add("extra", extra)
    with gr.Column(visible=False, elem_id=f"{tab}_seed_extras", elem_classes=["seed-extras"]) as extras:
        with gr.Row(elem_classes=["seed-row"]):
            subseed = param_field(fields, own, "subseed", listing, elem_id=f"{tab}_subseed", min_width=120)
            subdice = tool_button("page.random_seed", elem_id=f"{tab}_random_subseed", icon="dice")
            subreuse = tool_button("page.reuse_subseed", elem_id=f"{tab}_reuse_subseed", icon="reuse")
            param_field(
                fields, own, "subseed_strength", listing, elem_id=f"{tab}_subseed_strength", scale=3, min_width=100
            )
        with gr.Row(elem_classes=["two"]):
            param_field(fields, own, "seed_resize_from_w", listing, elem_id=f"{tab}_seed_resize_from_w")
            param_field(fields, own, "seed_resize_from_h", listing, elem_id=f"{tab}_seed_resize_from_h")
    extra.change(lambda on: gr.update(visible=bool(on)), extra, extras, **private())
    for button, handler, target in (
        (dice, "randomSeed", seed),
        (reuse, "reuseSeed", seed),
        (subdice, "randomSeed", subseed),
        (subreuse, "reuseSubseed", subseed),
    ):
        button.click(fn=None, js=script(handler, tab), inputs=target, outputs=target, **private())


def override_field(tab: str, fields: Fields) -> None:
    """Settings that a pasted text names: they hold for this form alone."""
    fields.add(
        paste.OVERRIDES,
        gr.Dropdown(
            [],
            value=[],
            multiselect=True,
            allow_custom_value=True,
            label=label("page.override_settings"),
            info=label("page.override_settings.help"),
            elem_id=f"{tab}_override_settings",
            elem_classes=["only-when-filled"],
        ),
    )
