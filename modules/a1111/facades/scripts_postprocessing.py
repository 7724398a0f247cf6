"""Postprocessing scripts of extensions. Source: spec/extensions.md §6."""

from __future__ import annotations

import dataclasses
from typing import Any

from modules.a1111.bound import bound


@dataclasses.dataclass
class PostprocessedImageSharedInfo:
    target_width: int = None
    target_height: int = None


class PostprocessedImage:
    def __init__(self, image):
        self.image = image
        self.info: dict[str, Any] = {}
        self.shared = PostprocessedImageSharedInfo()
        self.extra_images: list[Any] = []
        self.nametags: list[str] = []
        self.disable_processing = False
        self.caption = None

    def get_suffix(self, used_suffixes=None):
        used = {} if used_suffixes is None else used_suffixes
        suffix = "-".join(self.nametags)
        if suffix:
            suffix = f"-{suffix}"
        if suffix not in used:
            used[suffix] = 1
            return suffix
        for number in range(1, 100):
            numbered = f"{suffix}-{number}"
            if numbered not in used:
                used[numbered] = 1
                return numbered
        return suffix

    def create_copy(self, new_image, *, nametags=None, disable_processing=False):
        copy = PostprocessedImage(new_image)
        copy.shared = self.shared
        copy.nametags = [*self.nametags, *(nametags or [])]
        copy.info = dict(self.info)
        copy.disable_processing = disable_processing
        return copy


class ScriptPostprocessing:
    filename = None
    controls = None
    args_from = None
    args_to = None
    order = 1000
    name = None
    group = None

    def ui(self):
        return {}

    def process(self, pp: PostprocessedImage, **args):
        pass

    def process_firstpass(self, pp: PostprocessedImage, **args):
        pass

    def image_changed(self):
        pass


def overrides(script, method):
    """Whether a script has its own version of a method."""
    return getattr(type(script), method) is not getattr(ScriptPostprocessing, method)


def wrap_call(func, filename, funcname, *args, default=None, **kwargs):
    from modules.scripts import wrap_call as guarded

    return guarded(func, filename, funcname, *args, default=default, **kwargs)


class ScriptPostprocessingRunner:
    def __init__(self):
        self.scripts = None
        self.ui_created = False

    def setup_ui(self):
        """Makes every script's part of the Extras tab, here, in the order in which they run."""
        import gradio as gr

        self.initialize_scripts(self.scripts_data())
        for script in self.scripts_in_preferred_order():
            with gr.Group(visible=bool(overrides(script, "ui"))) as script.group:
                script.controls = wrap_call(script.ui, script.filename, "ui", default={}) or {}
        self.ui_created = True

    def scripts_data(self):
        from modules import scripts

        left_out = set(bound().settings.get("postprocessing_disable_in_extras", ()))
        return [
            data
            for data in scripts.postprocessing_scripts_data
            if getattr(data.script_class, "name", "") not in left_out
        ]

    def image_changed(self):
        for script in self.scripts_in_preferred_order():
            wrap_call(script.image_changed, script.filename, "image_changed")

    def initialize_scripts(self, scripts_data):
        self.scripts = []
        for data in scripts_data:
            script = wrap_call(data.script_class, data.path, "__init__")
            if script is not None:
                script.filename = data.path
                self.scripts.append(script)

    def scripts_in_preferred_order(self):
        if self.scripts is None:
            self.initialize_scripts(self.scripts_data())
        order = list(bound().settings.get("postprocessing_operation_order", ()))

        def place(script):
            own = order.index(script.name) if script.name in order else len(order)
            return own, script.order, script.name or ""

        return sorted(self.scripts, key=place)
