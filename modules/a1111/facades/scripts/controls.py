"""The scripts of a tab and their components."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.scripts.calling import wrap_call
from modules.scripts.handed import OnComponent
from modules.scripts.script import AlwaysVisible, Script, overrides

from modules import script_callbacks


class Controls:
    """The scripts of one tab, their components and their arguments: a flat list whose first entry is the choice."""

    def __init__(self):
        self.scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.titles: list[str] = []
        self.title_map: dict[str, Script] = {}
        self.infotext_fields: list[Any] = []
        self.paste_field_names: list[str] = []
        self.inputs: list[Any] = [None]
        self.is_img2img = False
        self.on_before_component_elem_id: dict[str, list[Any]] = {}
        self.on_after_component_elem_id: dict[str, list[Any]] = {}

    def initialize_scripts(self, is_img2img):
        """Makes an object of every script that wants to be shown on this tab."""
        self.is_img2img = is_img2img
        self.scripts, self.selectable_scripts, self.alwayson_scripts = [], [], []
        from modules import scripts

        for data in scripts.scripts_data:
            script = wrap_call(data.script_class, data.path, "__init__")
            if script is None:
                continue
            script.filename = data.path
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            script.tabname = "img2img" if is_img2img else "txt2img"
            visibility = wrap_call(script.show, data.path, "show", is_img2img, default=False)
            if visibility == AlwaysVisible:
                script.alwayson = True
                self.alwayson_scripts.append(script)
            elif visibility:
                self.selectable_scripts.append(script)
            else:
                continue
            self.scripts.append(script)
        script_callbacks.ui_settings_callback()
        self.apply_on_before_component_callbacks()

    def apply_on_before_component_callbacks(self):
        for script in self.scripts:
            for elem_id, callback in script.on_before_component_elem_id or []:
                self.on_before_component_elem_id.setdefault(elem_id, []).append((callback, script))
            for elem_id, callback in script.on_after_component_elem_id or []:
                self.on_after_component_elem_id.setdefault(elem_id, []).append((callback, script))

    def create_script_ui(self, script):
        """The script's components, in place; their values become its arguments."""
        script.args_from = len(self.inputs)
        script.args_to = len(self.inputs)
        script.name = wrap_call(script.title, script.filename, "title", default=script.filename).lower()
        controls = wrap_call(script.ui, script.filename, "ui", script.is_img2img)
        script.controls = controls
        if controls is None:
            return
        for control in controls:
            control.custom_script_source = Path(script.filename).name
        if script.infotext_fields is not None:
            self.infotext_fields += script.infotext_fields
        if script.paste_field_names is not None:
            self.paste_field_names += script.paste_field_names
        self.inputs += controls
        script.args_to = len(self.inputs)

    def setup_ui_for_section(self, section, scriptlist=None):
        """The always-on scripts that want to stand in that part of the tab; None: those that name no part."""
        import gradio as gr

        for script in self.alwayson_scripts if scriptlist is None else scriptlist:
            if script.alwayson and script.section != section:
                continue
            if script.create_group:
                with gr.Group(visible=script.alwayson) as group:
                    self.create_script_ui(script)
                script.group = group
            else:
                self.create_script_ui(script)

    def prepare_ui(self):
        self.inputs = [None]

    def setup_ui(self):
        """The always-on scripts, and below them the choice of a selectable one. Returns the inputs."""
        import gradio as gr

        sections = {script.section for script in self.alwayson_scripts if script.section}
        all_titles = [
            wrap_call(script.title, script.filename, "title", default=f"{script.filename} [error]")
            for script in self.scripts
        ]
        self.title_map = {title.lower(): script for title, script in zip(all_titles, self.scripts, strict=True)}
        self.titles = [
            wrap_call(script.title, script.filename, "title", default=f"{script.filename} [error]")
            for script in self.selectable_scripts
        ]
        done = {id(script) for script in self.alwayson_scripts if script.args_from is not None}
        self.setup_ui_for_section(None)
        for section in sections:
            rest = [script for script in self.alwayson_scripts if script.section == section and id(script) not in done]
            self.setup_ui_for_section(section, [script for script in rest if script.args_from is None])
        dropdown = gr.Dropdown(
            label="Script", elem_id="script_list", choices=["None", *self.titles], value="None", type="index"
        )
        self.inputs[0] = dropdown
        # An always-on script may list itself here, so that it can be asked for by name; it has its components already.
        self.setup_ui_for_section(None, [script for script in self.selectable_scripts if not script.alwayson])

        groups = [script.group for script in self.selectable_scripts if script.group]

        def select_script(index):
            chosen = self.selectable_scripts[index - 1].group if index else None
            shown = [gr.update(visible=group is chosen) for group in groups]
            # A list of one would be taken for the value of the one output.
            return shown if len(shown) > 1 else shown[0]

        if groups:
            dropdown.change(select_script, dropdown, groups, show_progress="hidden", api_visibility="private")

        def restore(params):
            title = params.pop("Script", None)
            if title is None:
                return None
            index = next((place for place, one in enumerate(self.titles) if one.lower() == title.lower()), None)
            return gr.update() if index is None else gr.update(value=self.titles[index])

        self.infotext_fields.append((dropdown, restore))
        return self.inputs

    def default_args(self):
        """The values that the components began with."""
        return [0, *(beginning_of(control) for control in self.inputs[1:])]

    def script(self, title):
        return self.title_map.get(title.lower())

    def set_named_arg(self, args, script_name, arg_elem_id, value, fuzzy=False):
        """Puts `value` where the component with that elem_id stands. Raises: RuntimeError if there is none."""
        script = next((one for one in self.scripts if one.name == script_name.lower()), None)
        if script is None:
            raise RuntimeError(f"script {script_name} not found")
        for place, control in enumerate(script.controls or ()):
            own = control.elem_id or ""
            if arg_elem_id in own if fuzzy else arg_elem_id == own:
                args[script.args_from + place] = value
                return
        raise RuntimeError(f"arg_elem_id {arg_elem_id} not found in script {script_name}")

    def before_component(self, component, **kwargs):
        for callback, script in self.on_before_component_elem_id.get(kwargs.get("elem_id"), []):
            wrap_call(callback, script.filename, "on_before_component", OnComponent(component))
        for script in self.scripts:
            if overrides(script, "before_component"):
                wrap_call(script.before_component, script.filename, "before_component", component, **kwargs)

    def after_component(self, component, **kwargs):
        for callback, script in self.on_after_component_elem_id.get(component.elem_id, []):
            wrap_call(callback, script.filename, "on_after_component", OnComponent(component))
        for script in self.scripts:
            if overrides(script, "after_component"):
                wrap_call(script.after_component, script.filename, "after_component", component, **kwargs)


def beginning_of(control):
    """What `control` began with; text boxes of Gradio 3 begin with ""."""
    value = getattr(control, "value", None)
    return "" if value is None and control.get_block_name() == "textbox" else value
