"""Small helpers that A1111 keeps here."""

from __future__ import annotations

import os
from pathlib import Path

from modules.paths_internal import cwd, script_path
from modules.shared import html, html_path, listfiles, natural_sort_key, walk_files  # noqa: F401

from modules.a1111.missing import refusing


def truncate_path(target_path, base_path=cwd):
    """The path from `base_path` on, if it lies there."""
    target, base = os.path.abspath(target_path), os.path.abspath(base_path)
    return os.path.relpath(target, base) if target.startswith(base + os.sep) else target


def load_file_from_url(url, *, model_dir, progress=True, file_name=None, hash_prefix=None, re_download=False):
    """Downloads into `model_dir` unless the file is there; returns its path."""
    from modules.modelloader import load_file_from_url as load

    return load(url, model_dir=model_dir, progress=progress, file_name=file_name, hash_prefix=hash_prefix)


class MassFileListerCachedDir:
    def __init__(self, dirname):
        self.files = {path.name: path for path in Path(dirname).iterdir()} if os.path.isdir(dirname) else {}


class MassFileLister:
    """`find(path)` gives (path, mtime, ctime) of a file; each folder is listed once."""

    def __init__(self):
        self.cached_dirs = {}

    def find(self, path):
        path = Path(path)
        return (str(path), path.stat().st_mtime, path.stat().st_ctime) if self.exists(path) else None

    def exists(self, path):
        folder = os.path.dirname(path)
        if folder not in self.cached_dirs:
            self.cached_dirs[folder] = MassFileListerCachedDir(folder)
        return os.path.basename(path) in self.cached_dirs[folder].files

    def mctime(self, path):
        found = self.find(path)
        return (0, 0) if found is None else (found[1], found[2])

    def reset(self):
        self.cached_dirs.clear()

    def update_file_entry(self, path):
        self.cached_dirs.pop(os.path.dirname(path), None)


def topological_sort(dependencies):
    from modules.a1111.ordering import in_order

    return in_order(list(dependencies), dependencies)


def open_folder(path):
    """Folders are opened by the person who sits at the machine."""


__all__ = ["script_path"]
__getattr__ = refusing("modules.util")
