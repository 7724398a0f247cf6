"""An extension of the year 2023: every idiom of Gradio 3 and every piece of A1111's page that extensions use, once."""

import gradio as gr
import gradio.deprecation
from gradio.components import FormComponent, IOComponent  # noqa: F401
from gradio.events import Changeable, Releaseable  # noqa: F401
from modules.generation_parameters_copypaste import create_buttons
from modules.processing import StableDiffusionProcessingTxt2Img, process_images
from modules.ui_common import create_refresh_button, plaintext_to_html
from modules.ui_components import DropdownMulti, FormRow, InputAccordion, ToolButton

from modules import call_queue, infotext_utils, script_callbacks, scripts, shared, ui

BASE = scripts.basedir()
shared.options_templates.update(
    shared.options_section(("olden", "Olden times"), {"olden_year": shared.OptionInfo(2023, "Year", gr.Number)})
)
YEAR_AT_IMPORT = shared.opts.olden_year
HEARD = []
PASTED = []


class OwnButton(gr.Button, FormComponent):
    """A component of the extension's own, with a constructor that takes anything."""

    def __init__(self, **kwargs):
        super().__init__(variant="tool", **kwargs)

    def get_block_name(self):
        return "button"


class OwnDropdown(gr.Dropdown):
    pass


class Olden(scripts.Script):
    def title(self):
        return "Olden"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        with InputAccordion(False, label="Olden", elem_id=self.elem_id("on")) as on:
            word = gr.Textbox("old", label="Word", elem_id=self.elem_id("word"))
            hidden = gr.Textbox("", visible=False, elem_id=self.elem_id("hidden"))
        self.infotext_fields = [(on, "Olden"), (word, lambda params: params.get("Olden word"))]
        self.paste_field_names = ["Olden word"]
        return [on, word, hidden]

    def after_component(self, component, **kwargs):
        if kwargs.get("elem_id") == "txt2img_seed":
            gr.Textbox(label="Beside the seed", elem_id="olden_beside_seed")

    def process(self, p, on, word, hidden):
        if on:
            p.extra_generation_params["Olden"] = True
            p.extra_generation_params["Olden word"] = word


class Chosen(scripts.Script):
    def title(self):
        return "Chosen"

    def ui(self, is_img2img):
        return [gr.Slider(minimum=1, maximum=4, step=1, default=1, value=2, label="How often", elem_id="olden_often")]

    def run(self, p, often):
        p.n_iter = int(often)
        return process_images(p)


def draw(id_task, prompt):
    """A button that draws."""
    p = StableDiffusionProcessingTxt2Img(prompt=prompt, steps=1, width=64, height=64, seed=1)
    p.sampler_name = "Euler"
    processed = process_images(p)
    return processed.images, plaintext_to_html(processed.infotexts[0])


def fail(id_task, prompt):
    raise ValueError("no <good>")


DRAW = call_queue.wrap_gradio_gpu_call(draw, extra_outputs=[None])
FAIL = call_queue.wrap_gradio_gpu_call(fail, extra_outputs=[None])
FAIL_MANY = call_queue.wrap_gradio_gpu_call(fail)


def on_ui_tabs():
    with gr.Blocks(analytics_enabled=False, css=".olden { color: sepia }") as tab:
        with gr.Box(elem_id="olden_box"), FormRow():
            enable = gr.Checkbox(label="Enable", elem_id="olden_enable", tooltip="dropped")
            model = OwnDropdown(choices=["a", "b"], value="a", label="Model", elem_id="olden_model")
            DropdownMulti(choices=["a", "b"], value=["b"], label="Several", elem_id="olden_several")
            create_refresh_button(model, lambda: None, lambda: {"choices": ["x", "y"]}, "olden_refresh")
            own = OwnButton(value="own", elem_id="olden_own")
            ToolButton("\U0001f3b2", elem_id="olden_dice", tooltip="dice")
        gr.inputs.Slider(minimum=0, maximum=100, step=1, default=40, label="Long ago", elem_id="olden_ago")
        with gr.Column(scale=0.5, visible=False, elem_id="olden_more") as more:
            gr.Slider(minimum=0, maximum=1, value=0.5, label="Weight", elem_id="olden_weight")
        picture = gr.Image(source="upload", type="pil", mirror_webcam=False, elem_id="olden_image").style(height=200)
        sketch = gr.Image(source="upload", tool="sketch", brush_radius=20, elem_id="olden_sketch")
        gallery = gr.Gallery(elem_id="olden_gallery", show_share_button=False).style(grid=4)
        gr.File(type="file", elem_id="olden_file")
        count = gr.Variable(0)
        said = gr.Textbox(label="Said", elem_id="olden_said", show_copy_button=True)
        html = gr.HTML(elem_id="olden_html")
        run = gr.Button("run", elem_id="olden_run", label="dropped")
        js = gr.Button("js", elem_id="olden_js")
        draws = gr.Button("draw", elem_id="olden_draw")
        fails = gr.Button("fail", elem_id="olden_fail")
        with gr.Tabs():
            with gr.TabItem("olden first"):
                gr.HTML("first", elem_id="olden_first")
            with gr.TabItem("olden inside"):
                gr.HTML("inside", elem_id="olden_inside")
            with gr.TabItem("olden heard") as heard:
                gr.HTML("heard", elem_id="olden_heard")
        buttons = create_buttons(["txt2img", "img2img", "extras"])
        infotext_utils.bind_buttons(buttons, gallery, said)
        assert ui.txt2img_paste_fields is not None
        enable.change(lambda on: gr.Column.update(visible=on), inputs=[enable], outputs=[more], show_progress=False)
        own.click(lambda: gr.Dropdown.update(choices=["x", "y"], value="y"), inputs=[], outputs=[model])
        run.click(
            lambda n, name: (n + 1, f"{n + 1} {name}"),
            _js="(n, name) => [n, name]",
            inputs=[count, model],
            outputs=[count, said],
            api_name=False,
            show_api=False,
        )
        js.click(fn=None, _js="() => oldenSays()", inputs=None, outputs=[said])
        draws.click(DRAW, _js="(id, p) => [randomId(), 'a red circle']", inputs=[said, said], outputs=[gallery, html])
        fails.click(FAIL_MANY, inputs=[said, said], outputs=[gallery, said, html])
        heard.select(lambda: "opened", inputs=[], outputs=[said])
        sketch.change(lambda value: "painted" if value else "", inputs=[sketch], outputs=[said])
        picture.change(lambda value: "seen" if value else "", inputs=[picture], outputs=[said])
    return [(tab, "Olden", "olden")]


def on_ui_settings():
    section = ("olden", "Olden times")
    choices = {"choices": ["sepia", "grey"]}
    info = shared.OptionInfo("sepia", "Tint", gr.Dropdown, choices, section=section).info("of pictures")
    shared.opts.add_option("olden_tint", info.needs_reload_ui())


def on_app_started(demo, app):
    @app.get("/olden/year")
    def year():
        return {"year": shared.opts.olden_year, "page": demo is not None}

    @app.middleware("http")
    async def stamped(request, call_next):
        response = await call_next(request)
        response.headers["X-Olden"] = "yes"
        return response


script_callbacks.on_ui_tabs(on_ui_tabs)
script_callbacks.on_ui_settings(on_ui_settings)
script_callbacks.on_app_started(on_app_started)
script_callbacks.on_before_ui(lambda: HEARD.append("before_ui"))
script_callbacks.on_after_component(lambda component, **kwargs: HEARD.append(kwargs.get("elem_id")))
script_callbacks.on_infotext_pasted(lambda text, params: PASTED.append(params.get("Steps")))
