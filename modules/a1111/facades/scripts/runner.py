"""The hooks of a tab's scripts, in the order in which they are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules.scripts.calling import call_hook
from modules.scripts.controls import Controls
from modules.scripts.script import Script, overrides

from modules.a1111.bound import bound
from modules.a1111.ordering import in_order, prioritized, wishes


class ScriptRunner(Controls):
    """Calls the hooks of the scripts of one tab."""

    def run(self, p, *args):
        """What the chosen script makes of `p`; None without one, or if it leaves the drawing to the studio."""
        script = self.chosen(args)
        return None if script is None else script.run(p, *args[script.args_from : script.args_to])

    def chosen(self, args):
        """The selected script; None without one."""
        index = args[0] if args else 0
        return self.selectable_scripts[index - 1] if index else None

    def list_scripts_for_method(self, method_name):
        return [one for one in self.alwayson_scripts if overrides(one, method_name)]

    def ordered_scripts(self, method_name):
        scripts = {}
        for script in self.list_scripts_for_method(method_name):
            extension = bound().studio.extensions.name_of(script.filename)
            scripts[f"{extension}/{Path(script.filename).name}/script_{method_name}/{script.name}"] = script
        if len(scripts) < 2:
            return list(scripts.values())
        extensions = bound().studio.extensions
        names = in_order(list(scripts), wishes(*extensions.callback_constraints()))
        first = bound().settings.get(f"prioritized_callbacks_script_{method_name}", ())
        return [scripts[name] for name in prioritized(names, first)]

    def each(self, method_name, p) -> Iterator[tuple[Script, Any]]:
        """Every always-on script that overrides the hook, with its arguments."""
        for script in self.ordered_scripts(method_name):
            yield script, p.script_args[script.args_from : script.args_to]

    def call(self, method_name, p, *first, **kwargs):
        """Calls a hook of every always-on script. One that fails is reported and passed over."""
        for script, args in self.each(method_name, p):
            call_hook(script, method_name, p, *first, *args, **kwargs)

    def setup_scrips(self, p, *, is_ui=True):
        for script, args in self.each("setup", p):
            if is_ui or not script.setup_for_ui_only:
                call_hook(script, "setup", p, *args)

    def before_process(self, p):
        self.call("before_process", p)

    def process(self, p):
        self.call("process", p)

    def process_before_every_sampling(self, p, **kwargs):
        self.call("process_before_every_sampling", p, **kwargs)

    def before_process_batch(self, p, **kwargs):
        self.call("before_process_batch", p, **kwargs)

    def after_extra_networks_activate(self, p, **kwargs):
        self.call("after_extra_networks_activate", p, **kwargs)

    def process_batch(self, p, **kwargs):
        self.call("process_batch", p, **kwargs)

    def postprocess(self, p, processed):
        self.call("postprocess", p, processed)

    def postprocess_batch(self, p, images, **kwargs):
        self.call("postprocess_batch", p, images=images, **kwargs)

    def postprocess_batch_list(self, p, pp, **kwargs):
        self.call("postprocess_batch_list", p, pp, **kwargs)

    def post_sample(self, p, ps):
        self.call("post_sample", p, ps)

    def on_mask_blend(self, p, mba):
        self.call("on_mask_blend", p, mba)

    def postprocess_image(self, p, pp):
        self.call("postprocess_image", p, pp)

    def postprocess_maskoverlay(self, p, ppmo):
        self.call("postprocess_maskoverlay", p, ppmo)

    def postprocess_image_after_composite(self, p, pp):
        self.call("postprocess_image_after_composite", p, pp)

    def before_hr(self, p):
        self.call("before_hr", p)

    def reload_sources(self, cache):
        """Kept for those who call it; script files are loaded anew by a restart."""
