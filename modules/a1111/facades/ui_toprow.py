"""The row of prompts at the top of a tab, for extensions that build a tab like A1111's."""

from __future__ import annotations

from modules import shared, ui_components
from modules.a1111.missing import refusing


class UiStyles:
    """The choice of styles: `dropdown`."""

    def __init__(self, tabname):
        import gradio as gr

        self.dropdown = gr.Dropdown(
            list(shared.prompt_styles.styles),
            label="Styles",
            show_label=False,
            value=[],
            multiselect=True,
            elem_id=f"{tabname}_styles",
        )


class Toprow:
    """Prompts, Generate and what stands around them. With `is_compact` the parts are made by their own methods."""

    def __init__(self, is_img2img, is_compact=False, id_part=None):
        self.id_part = id_part or ("img2img" if is_img2img else "txt2img")
        self.is_img2img, self.is_compact = is_img2img, is_compact
        self.prompt = self.negative_prompt = self.prompt_img = self.ui_styles = None
        self.submit = self.interrupt = self.interrupting = self.skip = None
        self.button_interrogate = self.button_deepbooru = None
        self.paste = self.clear_prompt_button = self.apply_styles = self.restore_progress_button = None
        self.token_counter = self.token_button = None
        self.negative_token_counter = self.negative_token_button = None
        if not is_compact:
            import gradio as gr

            with gr.Row(elem_id=f"{self.id_part}_toprow"):
                with gr.Column(scale=6):
                    self.create_prompts()
                with gr.Column(scale=1, elem_id=f"{self.id_part}_actions_column"):
                    self.create_submit_box()
                    self.create_tools_row()
                    self.create_styles_ui()

    def create_inline_toprow_prompts(self):
        if self.is_compact:
            self.create_prompts()
            self.create_tools_row()
            self.create_styles_ui()

    def create_inline_toprow_image(self):
        if self.is_compact:
            self.create_submit_box()

    def create_prompts(self):
        import gradio as gr

        shown = {"show_label": False, "lines": 3}
        self.prompt = gr.Textbox(
            label="Prompt", elem_id=f"{self.id_part}_prompt", placeholder="Prompt", elem_classes=["prompt"], **shown
        )
        self.prompt_img = gr.File(label="", elem_id=f"{self.id_part}_prompt_image", visible="hidden", type="binary")
        self.negative_prompt = gr.Textbox(
            label="Negative prompt",
            elem_id=f"{self.id_part}_neg_prompt",
            placeholder="Negative prompt",
            elem_classes=["prompt"],
            **shown,
        )

    def create_submit_box(self):
        import gradio as gr

        with gr.Row(elem_id=f"{self.id_part}_generate_box", elem_classes=["generate-box"]):
            self.interrupt = gr.Button("Interrupt", elem_id=f"{self.id_part}_interrupt", visible="hidden")
            self.interrupting = gr.Button("Interrupting...", elem_id=f"{self.id_part}_interrupting", visible="hidden")
            self.skip = gr.Button("Skip", elem_id=f"{self.id_part}_skip", visible="hidden")
            self.submit = gr.Button("Generate", elem_id=f"{self.id_part}_generate", variant="primary")
        self.interrupt.click(fn=shared.state.interrupt, show_progress="hidden")
        self.skip.click(fn=shared.state.skip, show_progress="hidden")

    def create_tools_row(self):
        import gradio as gr

        from modules import ui

        with gr.Row(elem_id=f"{self.id_part}_tools"):
            tool = ui_components.ToolButton
            self.paste = tool(value=ui.paste_symbol, elem_id=f"{self.id_part}_paste")
            self.clear_prompt_button = tool(value=ui.clear_prompt_symbol, elem_id=f"{self.id_part}_clear_prompt")
            self.apply_styles = tool(value=ui.apply_style_symbol, elem_id=f"{self.id_part}_style_apply")
            self.restore_progress_button = tool(
                value=ui.restore_progress_symbol, elem_id=f"{self.id_part}_restore_progress", visible="hidden"
            )
            if self.is_img2img:
                self.button_interrogate = tool(value="\U0001f4ce", elem_id=f"{self.id_part}_interrogate")
                self.button_deepbooru = tool(value="\U0001f4e6", elem_id=f"{self.id_part}_deepbooru")
            hidden = {"visible": "hidden"}
            self.token_counter = gr.HTML("0/75", elem_id=f"{self.id_part}_token_counter", **hidden)
            self.token_button = gr.Button(elem_id=f"{self.id_part}_token_button", **hidden)
            self.negative_token_counter = gr.HTML("0/75", elem_id=f"{self.id_part}_negative_token_counter", **hidden)
            self.negative_token_button = gr.Button(elem_id=f"{self.id_part}_negative_token_button", **hidden)
        self.clear_prompt_button.click(
            fn=lambda *texts: ("", ""),
            inputs=[self.prompt, self.negative_prompt],
            outputs=[self.prompt, self.negative_prompt],
        )

    def create_styles_ui(self):
        self.ui_styles = UiStyles(self.id_part)


__getattr__ = refusing("modules.ui_toprow")
