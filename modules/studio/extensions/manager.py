"""Installing, updating, rolling back and removing extensions. What changes takes effect at the next start."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modules.studio.extensions.folder import Extension, Extensions
from modules.studio.extensions.installers import (
    Outcome,
    changed_packages,
    install_stamp,
    installed_packages,
    run_install,
)
from modules.studio.extensions.mirrors import Mirrors
from modules.studio.extensions.records import Record, Records
from modules.studio.extensions.review import Review, compare, files_in, review
from modules.studio.extensions.sources import (
    CLONE_S,
    checked_name,
    checked_url,
    clone,
    content_hash,
    copy_folder,
    git,
    name_from,
    unpack,
)
from modules.terms.errors import BadRequest, NotFound, Refused

FETCH_S = 120


@dataclass(frozen=True)
class Candidate:
    """Something that waits to be installed or to replace what is installed. token: how it is referred to."""

    token: str
    name: str
    record: Record
    review: Review
    update: bool = False


@dataclass(frozen=True)
class Installed:
    """What became of an installation. changed: packages of the studio whose version is another now."""

    name: str
    outcome: Outcome
    changed: Mapping[str, tuple[str, str]]


class Manager:
    """Candidates are looked at first and installed by their token. Safe to use from any thread; one works at a time."""

    def __init__(
        self,
        extensions: Extensions,
        root: Path,
        work: Path,
        records: Path,
        packages: Path,
        mirrors: Callable[[], Mirrors] = Mirrors,
    ) -> None:
        """root: the studio's code. work: a folder for what is on its way. packages: for extensions with their own.
        mirrors: those of now."""
        self._mirrors = mirrors
        self._extensions, self._root, self._work, self._packages = extensions, root, work, packages
        self.records = Records(records)
        self._lock = threading.Lock()
        self._candidates: dict[str, Candidate] = {}
        self.outcomes: dict[str, Outcome] = {}

    # --- looking ---

    def fetch(self, url: str, branch: str = "", name: str = "") -> Candidate:
        """A clone of `url` that waits to be installed. Raises: BadRequest, WebuiError."""
        wanted = checked_name(name) if name else name_from(checked_url(url))
        self._need_free(wanted, url)
        with self._lock:
            token, place = self._new_place()
            commit = clone(url, branch, place, self._mirrors())
            return self._waiting(token, wanted, Record(url.strip(), branch, commit, source="git"))

    def take_folder(self, source: Path, name: str = "") -> Candidate:
        """A copy of a folder that waits to be installed. Raises: BadRequest, NotFound."""
        wanted = checked_name(name or source.name)
        self._need_free(wanted)
        with self._lock:
            token, place = self._new_place()
            copy_folder(source, place)
            return self._waiting(token, wanted, Record(source="folder"))

    def take_archive(self, archive: Path, name: str = "") -> Candidate:
        """The files of a ZIP that wait to be installed. Raises: BadRequest."""
        wanted = checked_name(name or archive.stem)
        self._need_free(wanted)
        with self._lock:
            token, place = self._new_place()
            unpack(archive, place)
            return self._waiting(token, wanted, Record(source="zip"))

    def check(self, name: str) -> Candidate | None:
        """What an update of an extension would change; None if there is nothing new. Raises: NotFound, WebuiError."""
        extension = self._installed(name)
        if not (extension.path / ".git").exists():
            raise BadRequest(f"{name} did not come from a Git repository, so there is nowhere to look for updates.")
        with self._lock:
            branch = self._git(extension.path, "rev-parse", "--abbrev-ref", "HEAD")
            wanted = branch if branch != "HEAD" else self.records.get(name).branch or "HEAD"
            self._git(extension.path, "fetch", "--filter=blob:none", "origin", wanted, timeout=FETCH_S)
            now, new = (
                self._git(extension.path, "rev-parse", "HEAD"),
                self._git(extension.path, "rev-parse", "FETCH_HEAD"),
            )
            if now == new:
                return None
            url = self._git(extension.path, "remote", "get-url", "origin")
            token, place = self._new_place()
            # A tree of its own, so that files as they will be can be compared with files as they are.
            self._git(extension.path, "worktree", "prune")
            self._git(extension.path, "worktree", "add", "--detach", str(place), new, timeout=CLONE_S)
            change = compare(files_in(extension.path), files_in(place))
            self._git(extension.path, "worktree", "remove", "--force", str(place))
            record = Record(url, wanted, new, previous=now, source="git")
            found = Candidate(token, extension.name, record, change, update=True)
            self._candidates[token] = found
            return found

    # --- doing ---

    def install(self, token: str, *, own_packages: bool = False) -> Installed:
        """Puts a candidate in its place and runs its install.py. Raises: NotFound, BadRequest, WebuiError."""
        with self._lock:
            found = self._candidates.pop(token, None)
            if found is None:
                raise NotFound("This is no longer waiting to be installed. Look it up again.")
            if found.update:
                return self._apply_update(found)
            place, target = self._work / token, self._extensions.folder / found.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise BadRequest(f"There is a folder {target} already.")
            shutil.move(place, target)
            return self._finish(found.name, found.record, own_packages=own_packages)

    def dismiss(self, token: str) -> None:
        """Throws a candidate away."""
        self._candidates.pop(token, None)
        shutil.rmtree(self._work / token, ignore_errors=True)

    def roll_back(self, name: str) -> Installed:
        """Brings an extension back to the commit before its last update. Raises: NotFound, BadRequest, WebuiError."""
        extension = self._installed(name)
        record = self.records.get(extension.name)
        if not record.previous:
            raise BadRequest(f"{name} has not been updated here, so there is nothing to go back to.")
        with self._lock:
            self._git(extension.path, "reset", "--hard", record.previous, timeout=CLONE_S)
            back = Record(record.url, record.branch, record.previous, record.commit, source=record.source)
            return self._finish(extension.name, back, own_packages=self._has_own(extension.name))

    def reset_to(self, name: str, commit: str) -> None:
        """Brings an extension to a commit that it has, or that its repository has. Raises: NotFound, WebuiError."""
        extension = self._installed(name)
        if not commit or not all(letter in "0123456789abcdef" for letter in commit):
            raise BadRequest(f"{commit!r} is no commit.")
        with self._lock:
            before = self._git(extension.path, "rev-parse", "HEAD")
            self._git(extension.path, "fetch", "--filter=blob:none", "origin", timeout=FETCH_S)
            self._git(extension.path, "reset", "--hard", commit, timeout=CLONE_S)
            # Its install.py is due at the next start if it is another one.
            record = self.records.get(extension.name)
            content = content_hash(extension.path)
            kept = dataclasses.replace(record, commit=commit, previous=before, content=content)
            self.records.put(extension.name, kept)

    def remove(self, name: str) -> None:
        """Deletes an extension's folder. Raises: NotFound."""
        extension = self._installed(name)
        with self._lock:
            shutil.rmtree(extension.path)
            shutil.rmtree(self._packages / extension.name, ignore_errors=True)
            self.records.put(extension.name, None)
            self.outcomes.pop(extension.name, None)

    def changed_since(self, name: str) -> bool:
        """Whether the files of an extension are not those that were installed; a link elsewhere is not looked into."""
        record, folder = self.records.get(name), self._extensions.folder / name
        return bool(record.content) and not folder.is_symlink() and content_hash(folder) != record.content

    def install_is_due(self, name: str) -> bool:
        """Whether an extension has an install.py that has not run for the files and the Python of today."""
        folder = self._extensions.folder / name
        return (folder / "install.py").is_file() and self.records.get(name).ran != install_stamp(folder)

    def run_due_install(self, name: str) -> Outcome:
        """Runs the install.py of an extension, wherever that came from. One that fails is tried again next time."""
        folder = self._extensions.folder / name
        with self._lock:
            outcome = self._run_install(name)
            if outcome.done:
                self.records.put(name, dataclasses.replace(self.records.get(name), ran=install_stamp(folder)))
            return outcome

    # --- parts ---

    def _git(self, folder: Path, *arguments: str, timeout: float = 60) -> str:
        # Any of them may reach for the network: clones have no contents of files but those that were looked at.
        return git(folder, *arguments, timeout=timeout, mirrors=self._mirrors())

    def _apply_update(self, found: Candidate) -> Installed:
        extension = self._installed(found.name)
        if self._git(extension.path, "rev-parse", "HEAD") != found.record.previous:
            raise BadRequest(f"{found.name} has changed since it was looked at. Check for updates again.")
        self._git(extension.path, "reset", "--hard", found.record.commit, timeout=CLONE_S)
        return self._finish(found.name, found.record, own_packages=self._has_own(found.name))

    def _finish(self, name: str, record: Record, *, own_packages: bool) -> Installed:
        folder = self._extensions.folder / name
        before = installed_packages()
        if own_packages:
            (self._packages / name).mkdir(parents=True, exist_ok=True)
        outcome = self._run_install(name)
        kept = dataclasses.replace(
            record,
            content=content_hash(folder),
            installed=time.time(),
            ran=install_stamp(folder) if outcome.done else "",
        )
        self.records.put(name, kept)
        return Installed(name, outcome, changed_packages(before))

    def _run_install(self, name: str) -> Outcome:
        packages = self._packages / name if self._has_own(name) else None
        self.outcomes[name] = run_install(
            self._extensions.folder / name, self._root, packages, self._work / "constraints.txt", self._mirrors()
        )
        return self.outcomes[name]

    def _has_own(self, name: str) -> bool:
        return (self._packages / name).is_dir()

    def _new_place(self) -> tuple[str, Path]:
        self._work.mkdir(parents=True, exist_ok=True)
        token = f"{time.time_ns():x}"
        return token, self._work / token

    def _waiting(self, token: str, name: str, record: Record) -> Candidate:
        found = Candidate(token, name, record, review(self._work / token))
        self._candidates[token] = found
        return found

    def _need_free(self, name: str, url: str = "") -> None:
        """Raises: BadRequest if the name or the address is taken."""
        taken = {one.name.lower() for one in self._extensions.all()}
        if name.lower() in taken or (self._extensions.folder / name).exists():
            raise BadRequest(
                f"An extension called {name} is installed already. Remove it first, or choose another name."
            )
        plain = url.strip().rstrip("/").removesuffix(".git")
        for other, record in self.records.all().items():
            if url and record.url.rstrip("/").removesuffix(".git") == plain and other.lower() in taken:
                raise BadRequest(f"{url} is installed already, as {other}.")

    def _installed(self, name: str) -> Extension:
        found = next((one for one in self._extensions.all() if one.name == name), None)
        if found is None:
            raise NotFound(f"There is no extension called {name!r}.")
        if found.path.is_symlink():
            raise Refused(f"{name} is a link to a folder elsewhere; look after it there.")
        return found
