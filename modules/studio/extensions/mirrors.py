"""Where extensions, the list of them and the packages that they need come from: the usual places, or mirrors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.terms.errors import BadRequest

if TYPE_CHECKING:
    from modules.settings.store import Settings

INDEX = "https://raw.githubusercontent.com/AUTOMATIC1111/stable-diffusion-webui-extensions/master/index.json"
GITHUB = "https://github.com"


@dataclass(frozen=True)
class Mirrors:
    """index: the list. github: what stands in for https://github.com, "" for itself. packages: pip's index, "" for
    what pip's own variables and files say."""

    index: str = INDEX
    github: str = ""
    packages: str = ""

    @classmethod
    def named(cls, settings: Settings, environ: Mapping[str, str] = os.environ) -> Mirrors:
        """Those of the settings; else what WEBUI_EXTENSIONS_INDEX (as in A1111) and INDEX_URL say.

        Raises: BadRequest for one that is no web address.
        """
        index = str(settings["extension_index_address"]).strip() or environ.get("WEBUI_EXTENSIONS_INDEX", "").strip()
        packages = str(settings["package_index_address"]).strip()
        if not packages and not environ.get("PIP_INDEX_URL"):
            packages = environ.get("INDEX_URL", "").strip()
        github = str(settings["github_address"]).strip().rstrip("/")
        for label, address in (("Address of GitHub", github), ("Address of pip's index", packages)):
            if address and not address.startswith(("https://", "http://")):
                raise BadRequest(f"Settings, {label}: {address!r} does not begin with https://.")
        return cls(index or INDEX, "" if github == GITHUB else github, packages)

    @property
    def git_options(self) -> tuple[str, ...]:
        """How Git is told of the mirror. What is cloned keeps its own address, submodules included."""
        return ("-c", f"url.{self.github}/.insteadOf={GITHUB}/") if self.github else ()

    @property
    def environment(self) -> dict[str, str]:
        """How pip is told of the mirror: by its own variable, and by that of A1111's `run_pip`."""
        return {"PIP_INDEX_URL": self.packages, "INDEX_URL": self.packages} if self.packages else {}


USUAL = Mirrors()
