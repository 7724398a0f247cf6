"""The face restorers there are, and the files they need. No torch here: lists are made of this."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modules.terms.errors import NotFound
from modules.terms.registry import nearest

SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt")


@dataclass(frozen=True)
class Restorer:
    """`sign` is what the names of its files contain, `file` the one to get from `page`, `folder` where it goes under
    models/."""

    name: str
    sign: str
    file: str
    folder: str
    page: str

    def found_in(self, folders: Iterable[Path]) -> Path | None:
        """The file of this restorer in `folders`, of several the highest version; None if there is none."""
        files = [
            path
            for folder in folders
            if folder.is_dir()
            for path in folder.rglob("*")
            if path.suffix.lower() in SUFFIXES and self.sign in path.stem.lower() and path.is_file()
        ]
        return max(files, key=lambda path: (_version(path.stem), path.suffix == ".safetensors"), default=None)

    def file_in(self, folders: Iterable[Path]) -> Path:
        """As `found_in`. Raises: NotFound saying what is missing and where it goes."""
        path = self.found_in(folders)
        if path is None:
            raise NotFound(
                f"{self.name} cannot repair faces yet: its weights are not here. Put {self.file} from {self.page} into "
                f"the folder models/{self.folder}, or choose another face restoration."
            )
        return path


RESTORERS = (
    Restorer(
        "CodeFormer",
        "codeformer",
        "codeformer-v0.1.0.pth",
        "Codeformer",
        "https://github.com/sczhou/CodeFormer/releases",
    ),
    Restorer("GFPGAN", "gfpgan", "GFPGANv1.4.pth", "GFPGAN", "https://github.com/TencentARC/GFPGAN/releases"),
    Restorer(
        "RestoreFormer", "restoreformer", "RestoreFormer.pth", "GFPGAN", "https://github.com/TencentARC/GFPGAN/releases"
    ),
)


def restorer_called(name: str) -> Restorer:
    """Raises: NotFound naming the nearest."""
    for one in RESTORERS:
        if one.name.lower() == name.strip().lower():
            return one
    names = [one.name for one in RESTORERS]
    close = nearest(name, names)
    hint = f" Did you mean {close!r}?" if close else ""
    raise NotFound(f"There is no face restoration called {name!r}.{hint} Known: {', '.join(names)}.")


def _version(stem: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", stem))
