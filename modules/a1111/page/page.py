"""What gui/ sees of extensions: see `PageHost` in gui/needs.py, which this is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from modules.a1111.bound import bound
from modules.a1111.page import browser, buttons, cards, pasting, script_values, tabs

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks
    from gradio.components import Component

    from modules.a1111.calls import Turns
    from modules.terms.request import GenerationRequest


def nothing(params: Mapping[str, Any]) -> None:
    """The target of a field that no text fills."""


class Page:
    """The part that extensions have in the page; one per host."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.fields: dict[str, Mapping[str, Component]] = {}

    @contextmanager
    def building(self) -> Iterator[None]:
        """Within: the page is built, and whoever wants to hear of its components does."""
        from modules import infotext_utils, script_callbacks
        from modules.a1111.page.components import heard, pair_choices

        script_callbacks.before_ui_callback()
        script_callbacks.ui_settings_callback()
        infotext_utils.reset()
        with ExitStack() as stack:
            if bound().studio.extensions.active():
                stack.enter_context(heard())
            yield
            pair_choices()

    @contextmanager
    def tab(self, name: str) -> Iterator[None]:
        """Within: the tab "txt2img" or "img2img" is built."""
        from modules import scripts

        runner = script_values.runner_of(name)
        # As in A1111, scripts are made before the tab: components that they make by then join it when rendered.
        with tabs.outside():
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

    def files(self, tab: str) -> Mapping[str, str]:
        """Name of each of those that belongs to a script -> the name of its file."""
        return script_values.files(tab)

    def asked(self, tab: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields `script` and `scripts` of a request, from the values of those components by name."""
        return script_values.asked(tab, values)

    def restored(self, tab: str, request: GenerationRequest) -> dict[str, Any]:
        """The way back: values of those components by name, for what `request` asks of scripts."""
        return script_values.restored(tab, request)

    def drafted(self, components: Sequence[tuple[str, Component]]) -> list[tuple[str, Component]]:
        """Those whose values a browser can keep as text, so that a reload loses nothing."""
        return script_values.drafted(components)

    def card_pages(self) -> list[tuple[str, str, str]]:
        """Name, kind and title of every page of cards that extensions bring."""
        return cards.pages()

    def postprocessing(self) -> list[tuple[str, Component]]:
        """Builds, here, what extensions add to the Extras tab; name and component of every value."""
        from modules.a1111 import postprocessing

        return postprocessing.build()

    def asked_of_postprocessing(self, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The field `scripts` of a request of the Extras tab, from the values of those components by name."""
        from modules.a1111 import postprocessing

        return postprocessing.asked(values)

    def tabs(self) -> list[tuple[str, str, Callable[[], None]]]:
        """Title, elem_id and what builds the inside, of every tab of extensions."""
        return tabs.tabs()

    def train_tabs(self) -> None:
        """Builds, here, what extensions add to the Train tab."""
        tabs.train_tabs()

    def know(self, tab: str, fields: Mapping[str, Component], picture: Component | None = None) -> None:
        """Tells extensions of a tab's fields by name, and of the canvas that takes its picture."""
        from modules import infotext_utils

        self.fields[tab] = fields
        own = pasting.paste_fields(fields)
        if tab in ("txt2img", "img2img"):
            own = [*own, *script_values.runner_of(tab).infotext_fields]
        infotext_utils.add_paste_fields(tab, picture, own)

    def connect(self, canvases: Mapping[str, Component]) -> None:
        """Binds the buttons with which extensions send pictures and texts. canvases: by A1111's name of the place."""
        buttons.connect(canvases)

    def paste_outputs(self, tab: str) -> list[Component]:
        """The components of scripts that a pasted text may fill."""
        return [component for component, _ in script_values.runner_of(tab).infotext_fields]

    def pasted(self, tab: str, text: str) -> list[Any]:
        """Updates for those, from a picture's text."""
        return pasting.pasted(script_values.runner_of(tab).infotext_fields, text)

    def sent(self, source: str, target: str, text: str) -> list[Any]:
        """Updates for `paste_outputs(target)`: of those fields alone that scripts of `source` want to be sent along."""
        wanted = script_values.runner_of(source).paste_field_names
        fields = script_values.runner_of(target).infotext_fields
        return pasting.pasted([(one, key if key in wanted else nothing) for one, key in fields], text)

    def head(self) -> str:
        """Scripts and style sheets for the page's <head>."""
        return browser.head()

    def add_routes(self, app: FastAPI) -> None:
        """The routes that those need; before the page is mounted."""
        browser.add_routes(app)
        cards.add_routes(app)

    def mounted(self, demo: Blocks, app: FastAPI) -> None:
        """The page stands: from now on extensions may add routes of their own."""
        from modules import shared

        shared.demo = demo
        browser.open_for_routes(app)
