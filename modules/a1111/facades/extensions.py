"""The installed extensions."""

from __future__ import annotations

from modules.paths_internal import extensions_builtin_dir, extensions_dir  # noqa: F401

from modules import scripts
from modules.a1111.bound import bound
from modules.a1111.missing import not_offered


class Extension:
    """One, as A1111 describes it."""

    is_builtin = False
    can_update = False
    status = ""

    def __init__(self, extension):
        self.name = extension.name
        self.canonical_name = extension.canonical_name
        self.path = str(extension.path)
        self.enabled = extension.enabled
        self.metadata = extension.metadata
        self._extension = extension

    @property
    def remote(self):
        return _git(self.path, "remote", "get-url", "origin")

    @property
    def commit_hash(self):
        return _git(self.path, "rev-parse", "HEAD")

    @property
    def branch(self):
        return _git(self.path, "rev-parse", "--abbrev-ref", "HEAD")

    @property
    def version(self):
        return (self.commit_hash or "")[:8]

    def read_info_from_repo(self):
        """Read when asked for."""

    def list_files(self, subdir, extension):
        files = self._extension.files(subdir, extension)
        return [scripts.ScriptFile(self.path, path.name, str(path)) for path in files]


def _git(path, *args):
    import subprocess

    done = subprocess.run(["git", "-C", path, *args], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def active():
    return [Extension(one) for one in bound().studio.extensions.active()]


def list_extensions():
    """The folder is looked at whenever somebody asks."""


def find_extension(filename):
    name = bound().studio.extensions.name_of(filename)
    return next((one for one in active() if one.canonical_name == name), None)


def __getattr__(name):
    if name == "extensions":
        return [Extension(one) for one in bound().studio.extensions.all()]
    if name == "extension_paths":
        return {one.path: Extension(one) for one in bound().studio.extensions.all()}
    if name == "loaded_extensions":
        return {one.canonical_name: Extension(one) for one in bound().studio.extensions.all()}
    raise not_offered("modules.extensions", name)
