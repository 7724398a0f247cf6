"""No path that a browser sends is opened unless it is an upload or one of the user's pictures.

A mounted Gradio app checks no path at all until `has_launched`, and even then not one without `meta`
(measured on 6.31: an Image, Gallery or File payload that names any readable file is read). Every payload passes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from gradio import utils
from gradio.block_function import BlockFunction
from gradio.routes import App
from gradio.state_holder import SessionState

from modules.gui.description import described

# The keys under which Gradio's file payloads carry something that the server opens or fetches.
_FILE_KEYS = ("path",)


@contextmanager
def unserved() -> Iterator[None]:
    """Within: blocks that are finished are not made an app and a configuration. Mounting makes both, and what is never
    mounted needs neither; with many components they take longer than all else."""
    configure, create = gr.Blocks.get_config_file, vars(App)["create_app"]
    gr.Blocks.get_config_file = lambda self: {}  # type: ignore[method-assign, assignment, typeddict-item]
    App.create_app = staticmethod(lambda *_, **__: None)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        gr.Blocks.get_config_file = configure  # type: ignore[method-assign]
        App.create_app = create  # type: ignore[method-assign]


class GuardedBlocks(gr.Blocks):
    """Blocks that refuse forged file paths in what the browser sends.

    `folders()` names the folders of pictures, besides the upload folder, that a payload may point into.
    """

    def __init__(self, *, folders: Callable[[], Sequence[Path]], **options: Any) -> None:
        with unserved():
            super().__init__(**options)
        self._folders = folders

    def __exit__(self, *raised: Any) -> None:
        """The block ends; of a page that is served, what was added is described from now on."""
        before: Any = getattr(self, "config", None)
        with unserved():
            super().__exit__(*raised)
        if getattr(self, "has_launched", False):
            self.config = before
            with self.described_once():
                self.config = self.get_config_file()

    @contextmanager
    def described_once(self) -> Iterator[None]:
        """Within: components and events are described once, and as browsers need it; mounting asks three times. So is
        what decides whether they need a heartbeat, for which Gradio looks at the parameters of every handler."""
        config: Any = self.default_config
        found, decide = described(self), utils.connect_heartbeat
        beats = decide(found, self.blocks.values(), self.fns.values())  # type: ignore[arg-type]
        config.get_config = lambda renderable=None: dict(found)
        utils.connect_heartbeat = lambda *_: beats
        try:
            yield
        finally:
            del config.get_config
            utils.connect_heartbeat = decide

    async def preprocess_data(
        self,
        block_fn: BlockFunction,
        inputs: list[Any],
        state: SessionState | None,
        explicit_call: bool = False,
    ) -> Any:
        """As Gradio's. Raises: gr.Error if a payload names a file outside the folders. Own calls are trusted."""
        if not explicit_call:
            refuse_forged(inputs, [Path(utils.get_upload_folder()), *self._folders()])
        return await super().preprocess_data(block_fn, inputs, state, explicit_call)

    def mounted(self) -> None:
        """Turns on the checks that Gradio itself makes only after `launch()`; call it once it is mounted."""
        self.has_launched = True
        self.is_running = True


def refuse_forged(payload: object, folders: Sequence[Path]) -> None:
    """Raises: gr.Error if `payload`, a JSON value, names anywhere a file that is not inside one of `folders`."""
    if isinstance(payload, dict):
        for key in _FILE_KEYS:
            if isinstance(payload.get(key), str) and payload[key]:
                _refuse_outside(payload[key], folders)
        for value in payload.values():
            refuse_forged(value, folders)
    elif isinstance(payload, (list, tuple)):
        for value in payload:
            refuse_forged(value, folders)


def _refuse_outside(text: str, folders: Sequence[Path]) -> None:
    scheme = urlsplit(text).scheme
    # One letter is a Windows drive, not a scheme.
    if len(scheme) > 1 or "\0" in text or text.startswith(("//", "\\\\")):
        raise gr.Error("This page only takes pictures that were uploaded to it, not addresses.", print_exception=False)
    path = Path(text).resolve()
    if not any(path.is_relative_to(folder.resolve()) for folder in folders):
        raise gr.Error("This page only takes files that were uploaded to it.", print_exception=False)
