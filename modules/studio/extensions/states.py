"""Backups of which extensions there are and at which commit: A1111's `config_states/*.json`."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.studio.extensions.folder import Extensions
from modules.studio.extensions.manager import Manager
from modules.studio.extensions.sources import git
from modules.terms.atomic import creating
from modules.terms.errors import NotFound, WebuiError


@dataclass(frozen=True)
class Difference:
    """What a backup would change of one extension: "" where it would change nothing."""

    name: str
    now: str
    then: str


class States:
    """Backups in a folder."""

    def __init__(self, folder: Path, extensions: Extensions, manager: Manager, version: str) -> None:
        self._folder, self._extensions, self._manager, self._version = folder, extensions, manager, version

    def save(self, name: str = "") -> str:
        """Writes a backup of the present state. Returns: the name of its file."""
        label = re.sub(r"[^\w. -]", "", name).strip() or "Config"
        now = time.time()
        state = {"created_at": now, "name": label, "webui": self._own(), "extensions": self._extensions_now()}
        file = f"{time.strftime('%Y_%m_%d-%H_%M_%S', time.localtime(now))}_{label}.json"
        self._folder.mkdir(parents=True, exist_ok=True)
        with creating(self._folder / file) as draft:
            draft.write_text(json.dumps(state, indent=4), encoding="utf-8")
        return file

    def all(self) -> list[dict[str, Any]]:
        """Every backup that can be read, newest first: file, name, created_at."""
        found = []
        for path in self._folder.glob("*.json") if self._folder.is_dir() else ():
            try:
                state = json.loads(path.read_text(encoding="utf-8"))
                found.append({"file": path.name, "name": str(state["name"]), "created_at": float(state["created_at"])})
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda row: -row["created_at"])

    def differences(self, file: str) -> list[Difference]:
        """What is another now than in a backup. Raises: NotFound."""
        then, now = self._read(file)["extensions"], self._extensions_now()
        rows = [Difference(name, in_words(now.get(name)), in_words(then.get(name))) for name in sorted({*then, *now})]
        return [row for row in rows if row.now != row.then]

    def restore(self, file: str) -> list[str]:
        """Brings the extensions that are here to the commits of a backup, and switches them on or off as there.

        Returns: sentences about those that could not be brought there. Raises: NotFound.
        """
        problems = []
        installed = {one.name for one in self._extensions.all()}
        disabled = []
        for name, then in self._read(file)["extensions"].items():
            if then.get("is_builtin"):
                continue
            if name not in installed:
                problems.append(
                    f"{name} is not installed. Install it from {then.get('remote') or 'where it came from'}."
                )
                continue
            if not then.get("enabled", True):
                disabled.append(name)
            commit = str(then.get("commit_hash") or "")
            if commit and commit != (self._extensions_now()[name]["commit_hash"] or ""):
                try:
                    self._manager.reset_to(name, commit)
                except WebuiError as error:
                    problems.append(f"{name}: {error}")
        known = set(self._read(file)["extensions"])
        off = [*disabled, *sorted(installed - known)]
        self._extensions.set_disabled(off, all_off=self._extensions.all_off)
        return problems

    def _read(self, file: str) -> dict[str, Any]:
        if file not in {row["file"] for row in self.all()}:
            raise NotFound(f"There is no backup {file!r}.")
        state: dict[str, Any] = json.loads((self._folder / file).read_text(encoding="utf-8"))
        return state

    def _own(self) -> dict[str, Any]:
        return {"remote": None, "commit_hash": self._version, "commit_date": None, "branch": None}

    def _extensions_now(self) -> dict[str, dict[str, Any]]:
        rows = {}
        for one in self._extensions.all():
            at = position(one.path)
            rows[one.name] = {
                "name": one.name,
                "path": str(one.path),
                "enabled": one.enabled,
                "is_builtin": False,
                "have_info_from_repo": bool(at["commit_hash"]),
                **at,
            }
        return rows


def position(folder: Path) -> dict[str, Any]:
    """Where a clone stands: remote, branch, commit_hash, commit_date; None for what is no clone."""
    if not (folder / ".git").exists():
        return {"remote": None, "branch": None, "commit_hash": None, "commit_date": None}
    try:
        commit, date = git(folder, "log", "-1", "--format=%H %ct").split()
        branch = git(folder, "rev-parse", "--abbrev-ref", "HEAD")
        remote = git(folder, "config", "--get", "remote.origin.url")
    except (WebuiError, ValueError):
        return {"remote": None, "branch": None, "commit_hash": None, "commit_date": None}
    return {"remote": remote, "branch": branch, "commit_hash": commit, "commit_date": int(date)}


def in_words(state: dict[str, Any] | None) -> str:
    if state is None:
        return "not installed"
    commit = str(state.get("commit_hash") or "")[:8] or "no commit"
    return f"{commit}{'' if state.get('enabled', True) else ', off'}"
