"""An extension that reaches far: what popular ones ask of A1111's page beside scripts and tabs, each thing once."""

import json
import os

import gradio as gr
import modules.textual_inversion
from extensions.wide.wide_parts.numbers import ANSWER
from modules.ui_components import FormRow
from PIL import Image, ImageOps
from scripts.helpers import COUNT

from modules import (
    cmd_args,
    img2img,
    options,
    script_callbacks,
    scripts,
    scripts_postprocessing,
    shared,
    ui,
    ui_extra_networks,
    ui_prompt_styles,
    ui_toprow,
)

TRAINED = []
LAID_OUT = {}
ORDER = []
DEMOS = []
UI_CONFIG = json.load(open(shared.cmd_opts.ui_config_file))
KNOWS = {name: name in shared.cmd_opts for name in ("wide_dir", "ckpt_dir", "no_such_flag")}
PARSED = cmd_args.parser.parse_known_args([])[0]
EMBEDDINGS = modules.textual_inversion.textual_inversion.EmbeddingDatabase
options.categories.register_category("wide", "Wide")
shared.options_templates.update(
    shared.options_section(("wide", "Wide", "wide"), {"wide_on": shared.OptionInfo(True, "Wide")})
)
shared.gradio_theme.wide = "written"
COUNT.append(ANSWER)
ui_extra_networks.extra_pages_before = len(ui_extra_networks.extra_pages)


class Own(scripts.Script):
    """Makes its components before the tab is built, and lists itself among the scripts that can be chosen."""

    section = "seed"

    def __init__(self):
        self.strength = gr.Slider(0, 1, value=0.5, label="Strength", elem_id="wide_strength")
        self.on_before_component(lambda on: ORDER.append(("before", "txt2img_steps")), elem_id="txt2img_steps")
        self.on_after_component(lambda on: ORDER.append(("after", on.component.elem_id)), elem_id="txt2img_steps")

    def title(self):
        return "Wide"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        with gr.Accordion("Wide", open=False):
            self.strength.render()
        runner = scripts.scripts_img2img if is_img2img else scripts.scripts_txt2img
        runner.selectable_scripts.append(self)
        self.infotext_fields = [(self.strength, "Wide strength")]
        self.paste_field_names = ["Wide strength"]
        return [self.strength]

    def before_component(self, component, **kwargs):
        if kwargs.get("elem_id"):
            LAID_OUT.setdefault(self.tabname, []).append(kwargs["elem_id"])

    def process(self, p, strength):
        p.extra_generation_params["Wide strength"] = strength


class Flip(scripts_postprocessing.ScriptPostprocessing):
    name = "Wide flip"
    order = 1500

    def ui(self):
        with FormRow():
            return {"flip": gr.Checkbox(True, label="Flip"), "copies": gr.Slider(0, 3, value=1, step=1, label="Copies")}

    def process_firstpass(self, pp, flip, copies):
        pp.shared.wide_seen = pp.image.size

    def process(self, pp, flip, copies):
        if flip:
            pp.image = ImageOps.flip(pp.image)
            pp.info["Wide flip"] = f"{pp.shared.wide_seen[0]}x{pp.shared.wide_seen[1]}"
        for number in range(int(copies)):
            pp.extra_images.append(pp.create_copy(ImageOps.invert(pp.image), nametags=[f"copy{number}"]))


class Failing(scripts_postprocessing.ScriptPostprocessing):
    name = "Wide failing"

    def process(self, pp):
        raise RuntimeError("this step fails")


class Cards(ui_extra_networks.ExtraNetworksPage):
    def __init__(self):
        super().__init__("Wide cards")
        self.folder = os.path.join(os.path.dirname(os.path.dirname(__file__)), "models")
        self.looked = 0

    def refresh(self):
        self.looked += 1

    def create_item(self, name, index=None, enable_filter=True):
        path = os.path.join(self.folder, name)
        item = {
            "name": name,
            "filename": f"{path}.txt",
            "preview": self.find_preview(path),
            "description": self.find_description(path),
            "search_terms": [self.search_terms_from_path(f"{path}.txt")],
            "prompt": ui_extra_networks.quote_js(f"<wide:{name}:") + " + opts.extra_networks_default_multiplier + '>'",
            "sort_keys": {"default": index, **self.get_sort_keys(f"{path}.txt")},
            "metadata": {"name": name},
        }
        self.read_user_metadata(item)
        return item

    def list_items(self):
        for index, file in enumerate(sorted(os.listdir(self.folder))):
            if file.endswith(".txt"):
                yield self.create_item(os.path.splitext(file)[0], index)

    def allowed_directories_for_previews(self):
        return [self.folder]


def on_before_ui():
    ui_extra_networks.register_page(Cards())


def on_ui_tabs():
    prompt, key = ui.txt2img_paste_fields[0]
    LAID_OUT["first paste field"] = (prompt.elem_id, key)
    with gr.Blocks() as tab:
        toprow = ui_toprow.Toprow(is_img2img=False, id_part="wide")
        compact = ui_toprow.Toprow(is_img2img=True, is_compact=True, id_part="wide_small")
        compact.create_inline_toprow_prompts()
        compact.create_inline_toprow_image()
        size = gr.HTML(ui.resize_from_to_html(64, 32, 2))
        toprow.apply_styles.click(
            ui_prompt_styles.materialize_styles,
            [toprow.prompt, toprow.negative_prompt, toprow.ui_styles.dropdown],
            [toprow.prompt, toprow.negative_prompt, toprow.ui_styles.dropdown],
        )
        LAID_OUT["size"] = size.value
    return [(tab, "Wide", "wide_tab")]


def on_ui_train_tabs(params):
    TRAINED.extend(component.elem_id for component in params.txt2img_preview_params)
    with gr.Tab("Wide training"):
        gr.Button("Train", elem_id="wide_train")


def drawn_over(picture):
    """A picture drawn through A1111's img2img(...), with the values of its page."""
    values = dict.fromkeys(img2img.FIELDS)
    values |= {"mode": 0, "prompt": "a red circle", "negative_prompt": "", "styles": [], "init_img": picture}
    values |= {"mask_blur": 4, "inpainting_fill": 1, "n_iter": 1, "batch_size": 1, "cfg_scale": 2.0}
    values |= {"denoising_strength": 0.5, "selected_scale_tab": 1, "scale_by": 2.0, "width": 8, "height": 8}
    values |= {"resize_mode": 0, "inpaint_full_res": 0, "inpaint_full_res_padding": 0, "inpainting_mask_invert": 0}
    values["override_settings_texts"] = []
    p = img2img.img2img_create_processing("", None, *values.values(), 0, 0.25)
    p.steps, p.seed = 1, 3
    return p


def half(picture: Image.Image):
    return picture.resize((picture.width // 2, picture.height // 2))


script_callbacks.on_before_ui(on_before_ui)
script_callbacks.on_app_started(lambda demo, app: DEMOS.append(demo))
script_callbacks.on_ui_tabs(on_ui_tabs)
script_callbacks.on_ui_train_tabs(on_ui_train_tabs)
