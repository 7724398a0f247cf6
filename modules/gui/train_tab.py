"""The Train tab: the files that a training begins with, under A1111's element ids, and the tabs of extensions."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from modules.gui import i18n
from modules.gui.i18n import label
from modules.gui.needs import Studio
from modules.gui.run import language_now, told
from modules.gui.widgets import private
from modules.studio.new_networks import dropout_of, numbers_of
from modules.studio.strangers import check_may_write_models

# Names of spec/training.md §2; the engine's own lists would bring torch before the first page.
WIDTHS = ("768", "1024", "320", "640", "1280")
ACTIVATIONS = ("linear", "relu", "leakyrelu", "elu", "swish", "tanh", "sigmoid", "gelu", "mish", "silu", "softplus")
STARTS = ("Normal", "KaimingUniform", "KaimingNormal", "XavierUniform", "XavierNormal")


def build(studio: Studio) -> None:
    """Builds the tab inside the surrounding Blocks."""
    with gr.Row(elem_id="train_body", elem_classes=["tab-body"]):
        with (
            gr.Column(elem_id="train_settings", elem_classes=["settings-column"], scale=1, min_width=320),
            gr.Tabs(elem_id="train_tabs", elem_classes=["modes"]),
        ):
            with gr.Tab(label("page.train.embedding"), id="create_embedding", elem_id="train_embedding_tab"):
                embedding = _embedding()
            with gr.Tab(label("page.train.hypernetwork"), id="create_hypernetwork", elem_id="train_hypernetwork_tab"):
                hypernetwork = _hypernetwork()
            if studio.host is not None:
                studio.host.page.train_tabs()
        with gr.Column(elem_id="train_results", elem_classes=["results-column"], scale=1, min_width=320):
            gr.Markdown(label("page.train.about"), elem_id="train_about")
            said = gr.HTML("", elem_id="ti_output")
    for (button, inputs), make in ((embedding, _make_embedding), (hypernetwork, _make_hypernetwork)):
        button.click(_told(studio, make), inputs, said, **private()).success(
            fn=None, js="() => document.getElementById('refresh_choices')?.click()", **private()
        )


Made = tuple[gr.Button, list[Any]]


def _embedding() -> Made:
    name = gr.Textbox(label=label("page.train.name"), elem_id="train_new_embedding_name")
    words = gr.Textbox("*", label=label("page.train.words"), elem_id="train_initialization_text")
    vectors = gr.Slider(1, 75, 1, step=1, label=label("page.train.vectors"), buttons=[], elem_id="train_nvpt")
    over = gr.Checkbox(False, label=label("page.train.overwrite"), elem_id="train_overwrite_old_embedding")
    button = gr.Button(label("page.train.make_embedding"), variant="primary", elem_id="train_create_embedding")
    return button, [name, words, vectors, over]


def _hypernetwork() -> Made:
    prefix = "train_new_hypernetwork"
    name = gr.Textbox(label=label("page.train.name"), elem_id=f"{prefix}_name")
    widths = gr.CheckboxGroup(
        list(WIDTHS), value=["768", "320", "640", "1280"], label=label("page.train.widths"), elem_id=f"{prefix}_sizes"
    )
    layers = gr.Textbox("1, 2, 1", label=label("page.train.layers"), elem_id=f"{prefix}_layer_structure")
    with gr.Row():
        activation = gr.Dropdown(
            list(ACTIVATIONS),
            value="linear",
            allow_custom_value=True,
            label=label("page.train.activation"),
            elem_id=f"{prefix}_activation_func",
        )
        start = gr.Dropdown(
            list(STARTS), value="Normal", label=label("page.train.start"), elem_id=f"{prefix}_initialization_option"
        )
    with gr.Row():
        norm = gr.Checkbox(False, label=label("page.train.norm"), elem_id=f"{prefix}_add_layer_norm")
        drops = gr.Checkbox(False, label=label("page.train.dropout"), elem_id=f"{prefix}_use_dropout")
    shares = gr.Textbox(
        "", label=label("page.train.shares"), placeholder="0, 0.3, 0", elem_id=f"{prefix}_dropout_structure"
    )
    over = gr.Checkbox(False, label=label("page.train.overwrite"), elem_id="train_overwrite_old_hypernetwork")
    button = gr.Button(label("page.train.make_hypernetwork"), variant="primary", elem_id="train_create_hypernetwork")
    return button, [name, widths, layers, activation, start, norm, drops, shares, over]


def _told(studio: Studio, make: Callable[..., Path]) -> Callable[..., str]:
    def allowed(*values: Any) -> Path:
        check_may_write_models(studio.flags, known=bool(studio.flags.page_logins))
        return make(studio, *values)

    def made(*values: Any) -> str:
        path = told(studio, lambda: allowed(*values))
        sentence = i18n.say("notice.train_made", language_now(studio), path=path.name)
        return f"<p>{escape(sentence)}</p>"

    return made


def _make_embedding(studio: Studio, name: str, words: str, vectors: float, over: bool) -> Path:
    return studio.create_embedding(name or "", int(vectors), words or "", overwrite=over)


def _make_hypernetwork(
    studio: Studio,
    name: str,
    widths: list[str],
    layers: str,
    activation: str,
    start: str,
    norm: bool,
    drops: bool,
    shares: str,
    over: bool,
) -> Path:
    from modules.networks.new_hypernetwork import Shape

    structure = numbers_of(layers, "layer_structure")
    shape = Shape(
        widths=[int(width) for width in widths],
        layers=structure,
        activation=activation,
        start=start,
        norm=norm,
        dropout=dropout_of(shares, structure) if drops else [],
    )
    return studio.create_hypernetwork(name or "", shape, overwrite=over)
