"""What the page needs of the studio, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PIL.Image import Image

from modules.checkpoints.library import Library
from modules.generation.resources import Resources
from modules.imaging.names import Subject
from modules.prompt.styles import StyleBook
from modules.settings.store import Settings
from modules.studio.extensions.additions import Additions
from modules.studio.extensions.folder import Extensions
from modules.studio.flag_table import Flags
from modules.studio.job import Job
from modules.studio.jobs import Jobs
from modules.studio.outputs import Place
from modules.terms.extras import ExtrasRequest
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.picture_batch import PictureBatch
from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks
    from gradio.components import Component

    from modules.networks.new_hypernetwork import Shape


class Outputs(Protocol):
    """See studio/outputs.py."""

    def folders(self, settings: Mapping[str, Any] | None = None) -> Sequence[Path]: ...

    def store(
        self, image: Image, place: Place, subject: Subject, text: str | None, settings: Mapping[str, Any]
    ) -> Path: ...


class PageHost(Protocol):
    """What extensions bring to the page. See a1111/page/page.py."""

    def building(self) -> AbstractContextManager[None]: ...

    def tab(self, name: str) -> AbstractContextManager[None]: ...

    def section(self, tab: str, name: str) -> None: ...

    def scripts(self, tab: str) -> list[tuple[str, Component]]: ...

    def files(self, tab: str) -> Mapping[str, str]: ...

    def drafted(self, components: Sequence[tuple[str, Component]]) -> list[tuple[str, Component]]: ...

    def asked(self, tab: str, values: Mapping[str, Any]) -> dict[str, Any]: ...

    def restored(self, tab: str, request: GenerationRequest) -> dict[str, Any]: ...

    def card_pages(self) -> list[tuple[str, str, str]]: ...

    def postprocessing(self) -> list[tuple[str, Component]]: ...

    def asked_of_postprocessing(self, values: Mapping[str, Any]) -> dict[str, dict[str, Any]]: ...

    def tabs(self) -> list[tuple[str, str, Callable[[], None]]]: ...

    def train_tabs(self) -> None: ...

    def know(self, tab: str, fields: Mapping[str, Component], picture: Component | None = None) -> None: ...

    def connect(self, canvases: Mapping[str, Component]) -> None: ...

    def paste_outputs(self, tab: str) -> list[Component]: ...

    def sent(self, source: str, target: str, text: str) -> list[Any]: ...

    def pasted(self, tab: str, text: str) -> list[Any]: ...

    def head(self) -> str: ...

    def add_routes(self, app: FastAPI) -> None: ...

    def mounted(self, demo: Blocks, app: FastAPI) -> None: ...


class Host(Protocol):
    """See a1111/host.py."""

    @property
    def page(self) -> PageHost: ...


class Studio(Protocol):
    """See studio/studio.py, which is one. Nothing here may wait for torch."""

    @property
    def flags(self) -> Flags: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def styles(self) -> StyleBook: ...

    @property
    def outputs(self) -> Outputs: ...

    @property
    def library(self) -> Library: ...

    @property
    def resources(self) -> Resources: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def host(self) -> Host | None: ...

    @property
    def additions(self) -> Additions: ...

    @property
    def extensions(self) -> Extensions: ...

    @property
    def engine_state(self) -> str: ...

    def submit(
        self,
        request: GenerationRequest | ExtrasRequest | PictureBatch | MergeRequest | ExtractRequest,
        kind: str = "txt2img",
        *,
        client: str = "",
    ) -> Job: ...

    def set_options(self, values: Mapping[str, Any]) -> tuple[str, ...]: ...

    def caption(self, image: Image, model: str) -> str: ...

    def create_embedding(self, name: str, vectors: int, words: str, *, overwrite: bool = False) -> Path: ...

    def create_hypernetwork(self, name: str, shape: Shape, *, overwrite: bool = False) -> Path: ...

    def unload(self) -> None: ...

    def reload(self) -> None: ...

    def stop(self, restart: bool = False) -> None: ...

    def listing(self, name: str) -> list[str]: ...

    def refresh(self, name: str) -> list[str]: ...
