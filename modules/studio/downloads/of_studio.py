"""The downloads of a studio, which follow its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from modules.checkpoints.hashes import HashCache
from modules.settings.store import Settings
from modules.studio.downloads.downloads import Downloads
from modules.studio.downloads.keys import Keys
from modules.studio.downloads.links import Sites
from modules.studio.downloads.sites import Asker
from modules.studio.flag_table import Flags
from modules.studio.uploads import Uploads
from modules.studio.web import Allowed, is_public

# Lists that do not notice by themselves when a file comes.
LISTS = {"upscaler": "upscalers"}


class OfStudio(Protocol):
    """What downloads need of the studio."""

    flags: Flags
    hashes: HashCache
    uploads: Uploads

    @property
    def settings(self) -> Settings: ...

    def refresh(self, name: str) -> list[str]: ...


def keys_of(flags: Flags) -> Keys:
    """The keys of the model sites; their file lies in no folder that is served."""
    return Keys(flags.data_dir / "private" / "keys.json")


def downloads_of(studio: OfStudio, keys: Keys, allowed: Allowed = is_public) -> Downloads:
    """The downloads into the studio's folders. allowed: which addresses may be asked."""

    def asker() -> Asker:
        settings = studio.settings
        sites = Sites.named(str(settings["civitai_address"]), str(settings["hugging_face_address"]))
        return Asker(sites, keys.get, allowed)

    def arrived(path: Path, kind: str) -> None:
        if kind in LISTS:
            studio.refresh(LISTS[kind])

    return Downloads(
        studio.flags.data_dir / "private" / "downloads.json",
        studio.flags,
        studio.uploads,
        studio.hashes,
        asker,
        with_previews=lambda: bool(studio.settings["download_previews"]),
        on_done=arrived,
    )
