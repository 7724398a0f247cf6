"""What gui/ sees of extensions: see `PageHost` in gui/needs.py, which this is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound
from modules.a1111.page import script_values

if TYPE_CHECKING:
    from gradio.components import Component


class Page:
    """The part that extensions have in the page; one per host."""

    @contextmanager
    def building(self) -> Iterator[None]:
        """Within: the page is built, and whoever wants to hear of its components does."""
        from modules import script_callbacks
        from modules.a1111.page.components import heard

        script_callbacks.before_ui_callback()
        with ExitStack() as stack:
            if bound().studio.extensions.active():
                stack.enter_context(heard())
            yield

    @contextmanager
    def tab(self, name: str) -> Iterator[None]:
        """Within: the tab "txt2img" or "img2img" is built."""
        from modules import scripts

        runner = script_values.runner_of(name)
        runner.initialize_scripts(name == "img2img")
        runner.prepare_ui()
        scripts.scripts_current = runner
        try:
            yield
        finally:
            scripts.scripts_current = None

    def section(self, tab: str, name: str) -> None:
        """Builds, here, the always-on scripts that want to stand in that part of the tab."""
        script_values.runner_of(tab).setup_ui_for_section(name)

    def scripts(self, tab: str) -> list[tuple[str, Component]]:
        """Builds, here, all other scripts of the tab and the choice of a selectable one.

        Returns: name and component of every value that scripts want to be handed at Generate, sections included.
        """
        return script_values.build(tab)

    def asked(self, tab: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields `script` and `scripts` of a request, from the values of those components by name."""
        return script_values.asked(tab, values)

    def drafted(self, components: Sequence[tuple[str, Component]]) -> list[tuple[str, Component]]:
        """Those whose values a browser can keep as text, so that a reload loses nothing."""
        return script_values.drafted(components)
