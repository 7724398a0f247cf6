"""What this room needs of the studio, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from modules.checkpoints.hashes import HashCache
from modules.checkpoints.library import Library
from modules.control.library import ControlLibrary
from modules.generation.resources import Resources
from modules.prompt.styles import StyleBook
from modules.settings.store import Settings
from modules.studio.cards import Cards
from modules.studio.downloads.downloads import Downloads
from modules.studio.downloads.keys import Keys
from modules.studio.extensions.additions import Additions
from modules.studio.extensions.available import Available
from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.manager import Manager
from modules.studio.extensions.states import States
from modules.studio.flag_table import Flags
from modules.studio.gallery.gallery import Gallery
from modules.studio.job import Job
from modules.studio.jobs import Jobs
from modules.studio.outputs import Outputs
from modules.studio.uploads import Uploads
from modules.terms.captioning import CaptionRequest
from modules.terms.extras import ExtrasRequest
from modules.terms.merging import ExtractRequest, MergeRequest
from modules.terms.request import GenerationRequest

if TYPE_CHECKING:
    from modules.networks.new_hypernetwork import Shape


class Studio(Protocol):
    """See studio/studio.py, which is one."""

    @property
    def flags(self) -> Flags: ...

    @property
    def version(self) -> str: ...

    @property
    def settings(self) -> Settings: ...

    @property
    def library(self) -> Library: ...

    @property
    def chosen_checkpoint(self) -> str: ...

    @property
    def control_files(self) -> ControlLibrary: ...

    @property
    def hashes(self) -> HashCache: ...

    @property
    def cards(self) -> Cards: ...

    @property
    def uploads(self) -> Uploads: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def downloads(self) -> Downloads: ...

    @property
    def styles(self) -> StyleBook: ...

    @property
    def resources(self) -> Resources: ...

    @property
    def gallery(self) -> Gallery: ...

    @property
    def additions(self) -> Additions: ...

    @property
    def extensions(self) -> Extensions: ...

    @property
    def extension_manager(self) -> Manager: ...

    @property
    def extension_states(self) -> States: ...

    @property
    def extension_index(self) -> Available: ...

    @property
    def outputs(self) -> Outputs: ...

    @property
    def jobs(self) -> Jobs: ...

    @property
    def engine_state(self) -> str: ...

    def submit(
        self,
        request: GenerationRequest | ExtrasRequest | CaptionRequest | MergeRequest | ExtractRequest,
        kind: str = "txt2img",
        *,
        client: str = "",
        task_id: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Job: ...

    def set_options(self, values: Mapping[str, Any], *, from_api: bool = False) -> tuple[str, ...]: ...

    def on_settings(self, heard: Callable[[tuple[str, ...]], None]) -> None: ...

    def change_styles(self, change: Callable[[StyleBook], StyleBook]) -> None: ...

    def details(self, name: str) -> list[dict[str, Any]]: ...

    def refresh(self, name: str) -> list[str]: ...

    def memory(self) -> dict[str, Any]: ...

    def create_embedding(self, name: str, vectors: int, words: str, *, overwrite: bool = False) -> Path: ...

    def create_hypernetwork(self, name: str, shape: Shape, *, overwrite: bool = False) -> Path: ...

    def unload(self) -> None: ...

    def reload(self) -> None: ...

    def stop(self, restart: bool = False) -> None: ...
