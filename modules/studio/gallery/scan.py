"""Brings the index up to date with the folders: only files that are new or changed are opened."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from modules.studio.gallery.index import PictureIndex
from modules.studio.gallery.picture import ENDINGS, Picture, read_picture

log = logging.getLogger("atelier.library")
BATCH = 100


def bring_up_to_date(
    index: PictureIndex,
    folders: Iterable[Path],
    *,
    stop: Callable[[], bool] = lambda: False,
    done: Callable[[int], None] = lambda count: None,
) -> int:
    """Looks through `folders` and all below them. Returns: how many files were read; fewer if `stop()` said so.

    `done(count)` is called after every batch. Pictures whose file is gone are forgotten, but a folder that cannot be
    reached at all (a drive that is not there) keeps its own.
    """
    roots = [root.resolve() for root in folders]
    seen: set[str] = set()
    read = 0
    batch: list[Picture] = []
    for folder, files in walk(root for root in roots if root.is_dir()):
        if stop():
            break
        seen.add(str(folder))
        known = index.stamps(folder)
        index.forget(known.keys() - files.keys())
        for path, stamp in files.items():
            if known.get(path) == stamp:
                continue
            batch.append(read_picture(Path(path), stamp))
            read += 1
            if len(batch) >= BATCH:
                index.put(batch)
                batch = []
                done(read)
                if stop():
                    break
    index.put(batch)
    done(read)
    if not stop():
        for folder in index.folders():
            reachable = any(root.is_dir() and folder.is_relative_to(root) for root in roots)
            listed = any(folder.is_relative_to(root) for root in roots)
            if str(folder) not in seen and (reachable or not listed):
                index.forget(index.stamps(folder))
    return read


def walk(roots: Iterable[Path]) -> Iterator[tuple[Path, dict[str, tuple[int, int]]]]:
    """Every folder with its pictures: path -> stamp. Hidden folders are left out; each folder comes once."""
    pending = list(dict.fromkeys(roots))
    visited: set[str] = set()
    while pending:
        folder = pending.pop()
        if str(folder) in visited:
            continue
        visited.add(str(folder))
        files: dict[str, tuple[int, int]] = {}
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    elif os.path.splitext(entry.name)[1].lower() in ENDINGS and entry.is_file():  # noqa: PTH122 - cost
                        found = entry.stat()
                        files[entry.path] = (found.st_mtime_ns, found.st_size)
        except OSError as error:
            log.warning("%s could not be looked through: %s", folder, error.strerror or error)
            continue
        yield folder, files
