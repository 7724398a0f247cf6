"""Files that people drop on the page: first only their header, to say what they are; then, if wanted, all of it."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from modules.checkpoints.files import kind_of
from modules.checkpoints.inspect import FileReport, inspect_file
from modules.studio.flag_table import Flags
from modules.studio.placing import folder_for, publish_free, safe_name
from modules.terms.errors import BadRequest, NotFound, Refused, WebuiError

MAX_SIZE = 1 << 42
MAX_HEADER = 101 << 20
# What a computer needs to keep working once a file has been written.
SPARE = 256 << 20
FORGOTTEN_S = 24 * 3600


@dataclass
class Upload:
    """A file on its way. `written`: bytes that are here."""

    id: str
    name: str
    size: int
    part: Path
    written: int = 0


class Uploads:
    """The files that are being uploaded, kept in `folder` until they are whole. Safe to use from any thread."""

    def __init__(self, folder: Path, flags: Flags) -> None:
        self._folder, self._flags = folder, flags
        self._lock = threading.Lock()
        self._running: dict[str, Upload] = {}

    def inspect_beginning(self, name: str, size: int, beginning: bytes) -> FileReport:
        """What the file `name` of `size` bytes is, by its `beginning`, which must hold the whole header.

        Raises: as `inspect_file`; Refused if it is no model by name.
        """
        name = safe_name(name)
        if not 0 < size <= MAX_SIZE or not 0 < len(beginning) <= min(size, MAX_HEADER):
            raise BadRequest("The size of the file, or of its beginning, cannot be.")
        self._folder.mkdir(parents=True, exist_ok=True)
        look = self._folder / f"{secrets.token_hex(8)}.look" / name
        look.parent.mkdir()
        try:
            with look.open("xb") as file:
                file.write(beginning)
                file.truncate(size)  # a hole: takes no room on the disk
            if kind_of(look) in ("zip pickle", "old pickle"):
                return FileReport(look, "pickle", "A PyTorch file: only the whole file tells what is in it.")
            return inspect_file(look)
        finally:
            shutil.rmtree(look.parent, ignore_errors=True)

    def begin(self, name: str, size: int) -> Upload:
        """A new upload. Raises: Refused if there is no room, or it is no model by name."""
        name = safe_name(name)
        if not 0 < size <= MAX_SIZE:
            raise BadRequest("The size of the file cannot be.")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._clean()
        need_space(self._folder, size)
        upload = Upload(secrets.token_hex(8), name, size, self._folder / f"{secrets.token_hex(8)}.part")
        upload.part.open("xb").close()
        with self._lock:
            self._running[upload.id] = upload
        return upload

    def add(self, upload_id: str, offset: int, data: bytes) -> Upload:
        """Writes the next piece. Raises: NotFound; BadRequest if it does not go on where the last one ended."""
        with self._lock:
            upload = self._known(upload_id)
            if offset != upload.written or offset + len(data) > upload.size:
                raise BadRequest(f"The next piece begins at byte {upload.written} and ends by byte {upload.size}.")
            with upload.part.open("ab") as file:
                file.write(data)
            upload.written += len(data)
            return upload

    def finish(self, upload_id: str) -> tuple[Path, FileReport]:
        """The file in the folder in which it belongs, and what it is.

        Raises: NotFound, BadRequest if it is not whole; else as `inspect_file`, and Refused if there is no place for
        its kind. What is refused is gone.
        """
        with self._lock:
            upload = self._known(upload_id)
            if upload.written != upload.size:
                raise BadRequest(f"{upload.written} of {upload.size} bytes are here.")
            del self._running[upload_id]
        named = upload.part.with_suffix("") / upload.name
        try:
            named.parent.mkdir()
            upload.part.rename(named)
            report = inspect_file(named)
            folder = folder_for(report.kind, self._flags)
            if folder is None:
                raise Refused(f"{report.sentence} There is no folder for such files.")
            return delivered(named, folder / named.name), report
        finally:
            upload.part.unlink(missing_ok=True)
            shutil.rmtree(named.parent, ignore_errors=True)

    def drop(self, upload_id: str) -> None:
        """Forgets an upload and what has come of it. Raises: NotFound."""
        with self._lock:
            self._known(upload_id).part.unlink(missing_ok=True)
            del self._running[upload_id]

    def _known(self, upload_id: str) -> Upload:
        upload = self._running.get(upload_id)
        if upload is None:
            raise NotFound("There is no such upload (any more). Drop the file again.")
        return upload

    def _clean(self) -> None:
        """Removes what uploads left that nobody ended."""
        with self._lock:
            mine = {upload.part for upload in self._running.values()}
        for path in self._folder.glob("*.part"):
            if path not in mine and time.time() - path.stat().st_mtime > FORGOTTEN_S:
                path.unlink(missing_ok=True)


def delivered(file: Path, wanted: Path) -> Path:
    """Takes the whole `file` to `wanted`, or to a name like it if that is taken. Returns: where it is now."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if file.stat().st_dev == wanted.parent.stat().st_dev:
        return publish_free(file, wanted)
    # Another disk: copied under a name that nothing looks for, then made visible at once.
    draft = wanted.with_name(f".{secrets.token_hex(8)}.part")
    try:
        shutil.copy2(file, draft)
        path = publish_free(draft, wanted)
    finally:
        draft.unlink(missing_ok=True)
    file.unlink()
    return path


def need_space(folder: Path, size: int) -> None:
    """Raises: Refused, saying how much is missing, unless `size` bytes fit on the disk of `folder`."""
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        raise WebuiError(f"{folder} cannot be written to: {error.strerror}.") from error
    if free < size + SPARE:
        raise Refused(
            f"There is no room: {size / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free on the disk of {folder}. "
            "Delete something there, or choose another folder."
        )
