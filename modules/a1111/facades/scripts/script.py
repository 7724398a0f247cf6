"""What scripts of extensions derive from. Source: spec/extensions.md §3."""

from __future__ import annotations

import re

from modules.scripts.handed import (
    MaskBlendArgs,
    PostprocessBatchListArgs,
    PostprocessImageArgs,
    PostProcessMaskOverlayArgs,
    PostSampleArgs,
)

AlwaysVisible = object()


class Script:
    """What a script may override; each hook does nothing by itself."""

    name = None
    section = None
    filename = None
    args_from = None
    args_to = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname = None
    group = None
    create_group = True
    infotext_fields = None
    paste_field_names = None
    api_info = None
    on_before_component_elem_id = None
    on_after_component_elem_id = None
    setup_for_ui_only = False
    controls = None
    # Whether `run`, called again, asks for the same again: then what a broken-off job has drawn is not drawn anew.
    resumable = False

    def title(self):
        raise NotImplementedError

    def ui(self, is_img2img):
        pass

    def show(self, is_img2img):
        return True

    def run(self, p, *args):
        pass

    def setup(self, p, *args):
        pass

    def before_process(self, p, *args):
        pass

    def process(self, p, *args):
        pass

    def before_process_batch(self, p, *args, **kwargs):
        pass

    def after_extra_networks_activate(self, p, *args, **kwargs):
        pass

    def process_before_every_sampling(self, p, *args, **kwargs):
        pass

    def process_batch(self, p, *args, **kwargs):
        pass

    def postprocess_batch(self, p, *args, **kwargs):
        pass

    def postprocess_batch_list(self, p, pp: PostprocessBatchListArgs, *args, **kwargs):
        pass

    def on_mask_blend(self, p, mba: MaskBlendArgs, *args):
        pass

    def post_sample(self, p, ps: PostSampleArgs, *args):
        pass

    def postprocess_image(self, p, pp: PostprocessImageArgs, *args):
        pass

    def postprocess_maskoverlay(self, p, ppmo: PostProcessMaskOverlayArgs, *args):
        pass

    def postprocess_image_after_composite(self, p, pp: PostprocessImageArgs, *args):
        pass

    def postprocess(self, p, processed, *args):
        pass

    def before_hr(self, p, *args):
        pass

    def before_component(self, component, **kwargs):
        pass

    def after_component(self, component, **kwargs):
        pass

    def on_before_component(self, callback, *, elem_id):
        self.on_before_component_elem_id = [*(self.on_before_component_elem_id or []), (elem_id, callback)]

    def on_after_component(self, callback, *, elem_id):
        self.on_after_component_elem_id = [*(self.on_after_component_elem_id or []), (elem_id, callback)]

    def describe(self):
        return ""

    def wanted(self, request):
        """Whether an always-on script has anything to do with a request; if none has, the studio draws without `p`."""
        return True

    def elem_id(self, item_id):
        shown_alike = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if shown_alike else ""
        title = re.sub(r"[^a-z_0-9]", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{tab}{title}_{item_id}"


class ScriptBuiltinUI(Script):
    """A part of the page itself in the shape of a script: always there, nothing for the API."""

    setup_for_ui_only = True

    def elem_id(self, item_id):
        shown_alike = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if shown_alike else ""
        return f"{tab}{item_id}"

    def show(self, is_img2img):
        return AlwaysVisible


def overrides(script: Script, method_name: str) -> bool:
    """Whether a script has its own version of a hook."""
    return getattr(type(script), method_name, None) is not getattr(Script, method_name, None) or (
        method_name in vars(script)
    )
