"""Where an extension comes from: a Git address, a folder or a ZIP file, brought to a place where it can be looked at.

Git runs with argument lists, no hooks, no prompts and only over protocols that reach other machines.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from modules.studio.extensions.mirrors import USUAL, Mirrors
from modules.terms.errors import BadRequest, NotFound, WebuiError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
BRANCH = re.compile(r"(?!-)(?!.*\.\.)[\w./-]{1,200}")
CLONE_S = 600
MAX_UNPACKED = 2 << 30
MAX_FILES = 50_000
# What the disk says where one entry is a file and another wants it to be a folder.
CLASHES = (FileExistsError, NotADirectoryError, IsADirectoryError)
SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "protocol.file.allow=never")
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true", "GIT_LFS_SKIP_SMUDGE": "1"}


def checked_name(name: str) -> str:
    """`name` if a folder of that name works on every system. Raises: BadRequest."""
    if not NAME.fullmatch(name) or name.endswith(".") or RESERVED.fullmatch(name):
        raise BadRequest(f"{name!r} cannot be the folder of an extension: letters, digits, dots, - and _ only.")
    return name


def name_from(url: str) -> str:
    """The folder that an address suggests. Raises: BadRequest."""
    return checked_name(url.rstrip("/").rpartition("/")[2].rpartition(":")[2].removesuffix(".git"))


def checked_url(url: str) -> str:
    """An address that Git may clone from. Raises: BadRequest."""
    url = url.strip()
    parts = urlsplit(url)
    over_ssh = re.fullmatch(r"[\w.-]+@[\w.-]+:[\w./~-]+", url)
    if (parts.scheme not in ("https", "http", "ssh") or not parts.hostname) and not over_ssh:
        raise BadRequest(f"{url!r} is no address of a Git repository. It begins with https://.")
    if url.startswith("-"):
        raise BadRequest(f"{url!r} is no address.")
    return url


def git(folder: Path | None, *arguments: str, timeout: float = 60, mirrors: Mirrors = USUAL) -> str:
    """What Git prints. mirrors: where it finds GitHub.

    Raises: WebuiError with its last line, or saying that there is no Git.
    """
    where = ("-C", str(folder)) if folder is not None else ()
    try:
        done = subprocess.run(
            ["git", *SAFE, *mirrors.git_options, *where, *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **QUIET},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError as error:
        raise WebuiError("Git is not installed. Install it, or install the extension from a ZIP file.") from error
    except subprocess.TimeoutExpired as error:
        raise WebuiError(
            f"Git took longer than {timeout:.0f} s. Is the network slow? Name a mirror of "
            "GitHub in Settings, Extensions."
        ) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise WebuiError(f"git {arguments[0]} failed: {lines[-1].strip()}")
    return done.stdout.strip()


def clone(url: str, branch: str, target: Path, mirrors: Mirrors = USUAL) -> str:
    """A clone of `url` in `target`, which must not exist. Returns: its commit. Raises: BadRequest, WebuiError."""
    wanted = checked_url(url)
    if branch and not BRANCH.fullmatch(branch):
        raise BadRequest(f"{branch!r} is no name of a branch.")
    chosen = ("--branch", branch) if branch else ()
    git(None, "clone", "--filter=blob:none", *chosen, "--", wanted, str(target), timeout=CLONE_S, mirrors=mirrors)
    if (target / ".gitmodules").is_file():
        git(target, "submodule", "update", "--init", "--recursive", timeout=CLONE_S, mirrors=mirrors)
    return git(target, "rev-parse", "HEAD")


def copy_folder(source: Path, target: Path) -> None:
    """A copy of a folder, links left out. Raises: NotFound, BadRequest."""
    if not source.is_dir():
        raise NotFound(f"There is no folder {source}.")
    if target.resolve().is_relative_to(source.resolve()):
        raise BadRequest(f"{source} holds the studio's own folder.")
    shutil.copytree(source, target, symlinks=True, ignore=_links)


def _links(folder: str, names: Sequence[str]) -> set[str]:
    return {name for name in names if Path(folder, name).is_symlink()}


def unpack(archive: Path, target: Path) -> None:
    """The files of a ZIP in `target`; a single folder around them is left out. Raises: BadRequest."""
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            if len(entries) > MAX_FILES:
                raise BadRequest(f"{archive.name} holds more than {MAX_FILES} files.")
            if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
                raise BadRequest(f"{archive.name} holds more than {MAX_UNPACKED >> 30} GB.")
            paths = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in entries]
            if not all(path.parts for path in paths):
                raise BadRequest(f"{archive.name} holds a file without a name.")
            around = _folder_around(paths)
            for entry, path in zip(entries, paths, strict=True):
                if path.is_absolute() or ".." in path.parts or ":" in str(path):
                    raise BadRequest(f"{archive.name} holds a file that would lie elsewhere: {path}.")
                if stat.S_ISLNK(entry.external_attr >> 16):
                    continue
                place = target.joinpath(*path.parts[1:] if around else path.parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as inside, place.open("wb") as outside:
                    shutil.copyfileobj(inside, outside)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, *CLASHES) as error:
        raise BadRequest(f"{archive.name} is no ZIP file that can be read: {error}.") from error


def _folder_around(paths: Sequence[PurePosixPath]) -> bool:
    return len({path.parts[0] for path in paths}) == 1 and all(len(path.parts) > 1 for path in paths)


def content_hash(folder: Path) -> str:
    """SHA-256 over the names and contents of all files, `.git` left out: says whether anything was changed."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts):
        digest.update(path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape") + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
