"""Loads the script files of extensions as A1111 does: bare module names, the extension's root first on the path."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from modules.a1111.bound import Loading, bound
from modules.a1111.missing import explained
from modules.a1111.ordering import in_order
from modules.studio.extensions.folder import BASE, Extension

log = logging.getLogger("atelier.extensions")

# Name of a file as metadata has it -> the extension that it belongs to, None for the studio's own, and its path.
Files = dict[str, tuple[Extension | None, Path]]


def load_module(path: str) -> ModuleType:
    """The module in a file, under the file's bare name. Raises: whatever its body raises."""
    file = Path(path)
    spec = importlib.util.spec_from_file_location(file.name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    # Under its file name, which is how extensions find each other's modules, and Gradio the class of a component.
    sys.modules[file.name] = module
    spec.loader.exec_module(module)
    return module


def script_files(extensions: list[Extension], root: Path) -> list[tuple[Extension | None, Path]]:
    """The script files of the studio, then those of the extensions, in the order in which they are to be loaded."""
    own = sorted((root / "scripts").glob("*.py"), key=lambda path: path.name)
    files: Files = {path.name.lower(): (None, path) for path in own}
    for extension in extensions:
        for path in extension.files("scripts", ".py"):
            files[f"{extension.canonical_name}/{path.name.lower()}"] = (extension, path)
    return [files[name] for name in in_order(list(files), _wishes(files, "scripts"))]


def in_metadata_order(folder: str, found: Sequence[tuple[Extension, Path]]) -> list[Path]:
    """Files of that sub-folder of extensions in the order that their metadata asks for."""
    files: Files = {f"{extension.canonical_name}/{path.name.lower()}": (extension, path) for extension, path in found}
    return [files[name][1] for name in in_order(list(files), _wishes(files, folder))]


def _wishes(files: Files, folder: str) -> dict[str, list[str]]:
    """Name of a file -> those that its metadata wants before it."""
    after: dict[str, list[str]] = {}
    for name, (own_extension, path) in files.items():
        if own_extension is None:
            continue
        metadata = own_extension.metadata
        for wanted in (*metadata.of("requires", folder, path.name), *metadata.of("after", folder, path.name)):
            after.setdefault(name, []).extend(_files_named(wanted, files))
        for later in metadata.of("before", folder, path.name):
            for other in _files_named(later, files):
                after.setdefault(other, []).append(name)
    return after


def _files_named(wanted: str, files: Files) -> list[str]:
    """The files that a name in metadata stands for: one file, or all of an extension; the first alternative there."""
    for name in wanted.split("|"):
        if name in files:
            return [name]
        of_extension = [file for file in files if file.startswith(f"{name}/")]
        if of_extension:
            return of_extension
    return []


def load_all() -> None:
    """Loads every script file; one that fails is reported, and its extension goes on without it."""
    from modules import scripts

    extensions = bound().studio.extensions
    for extension, path in script_files(extensions.active(), bound().root):
        began = time.monotonic()
        name = extension.canonical_name if extension else BASE
        base = extension.path if extension else bound().root
        try:
            with being_loaded(base, path, name), extensions.starts.loading(name):
                module = load_module(str(path))
                scripts.register_scripts_of(module, scripts.ScriptFile(str(base), path.name, str(path)))
                scripts.loaded_scripts[str(path)] = module
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of others
            extensions.failed(name, f"loading {path.name}", explained(error, name))
        extensions.load_seconds[name] = extensions.load_seconds.get(name, 0.0) + time.monotonic() - began


@contextmanager
def being_loaded(base: Path, path: Path, extension: str) -> Iterator[None]:
    """Within: `scripts.basedir()` is the root of the extension, which also stands first on the path of imports.

    The working folder is that of the data: A1111 runs in the folder that has `extensions/`, and scripts go by that.
    """
    here, home = bound(), Path.cwd()
    before, here.loading = here.loading, Loading(base, str(path), extension)
    sys.path.insert(0, str(base))
    own = bound().studio.extensions.packages / base.name
    if own.is_dir() and str(own) not in sys.path:
        # Behind the studio's own, which must keep their versions.
        sys.path.append(str(own))
    os.chdir(here.studio.flags.data_dir)
    try:
        yield
    finally:
        os.chdir(home)
        here.loading = before
        if str(base) in sys.path:
            sys.path.remove(str(base))
