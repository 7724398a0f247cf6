"""Uploaded pictures and masks that something kept refers to: a copy outlives the folder for temporary files."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class KeptFiles:
    """Copies of uploads in `folder`, under the path that they have in `uploads`, where the page looks for them."""

    def __init__(self, folder: Path, uploads: Path) -> None:
        self._folder, self._uploads = folder, uploads.resolve()

    def keep(self, values: Any) -> None:
        """Copies what `values` refers to, and drops the copies of everything else."""
        wanted = set(self._inside(values))
        for place in wanted:
            source, copy = self._uploads / place, self._folder / place
            if source.is_file() and not copy.is_file():
                _same_file(source, copy)
        for old in [path for path in self._folder.rglob("*") if path.is_file()]:
            if old.relative_to(self._folder) not in wanted:
                old.unlink()

    def restore(self, values: Any) -> None:
        """Puts what `values` refers to back to where it was, if it is gone from there."""
        for place in self._inside(values):
            source, copy = self._uploads / place, self._folder / place
            if copy.is_file() and not source.is_file():
                _same_file(copy, source)

    def _inside(self, values: Any) -> Iterator[Path]:
        """Relative paths of the uploads that `values` refers to; other files are none of ours."""
        for name in named_files(values):
            path = Path(name).resolve()
            if path.is_relative_to(self._uploads):
                yield path.relative_to(self._uploads)


def named_files(values: Any) -> Iterator[str]:
    """The paths of all file values inside `values`, as components hold them."""
    if isinstance(values, dict):
        path = values.get("path")
        if isinstance(path, str) and path:
            yield path
        for value in values.values():
            yield from named_files(value)
    elif isinstance(values, list):
        for value in values:
            yield from named_files(value)


def _same_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A second name costs no room; another disk, or one without links, needs a copy.
    with contextlib.suppress(FileExistsError):
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
