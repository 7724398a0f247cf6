"""The library of pictures: the index, kept true in the background, and what is done with what it finds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from modules.studio.gallery.index import Page, PictureIndex, Row
from modules.studio.gallery.picture import read_picture
from modules.studio.gallery.scan import bring_up_to_date
from modules.studio.gallery.thumbnails import Thumbnails
from modules.studio.gallery.trash import FOLDER, Trash
from modules.terms.errors import NotFound, Refused

log = logging.getLogger("atelier.library")


class Gallery:
    """`folders()`: where to look. `busy()`: whether a job runs, which indexing then gives way to."""

    def __init__(
        self,
        data_dir: Path,
        cache_dir: Path,
        folders: Callable[[], Sequence[Path]],
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._folders, self._busy = folders, busy
        self.index = PictureIndex(data_dir / "library.sqlite")
        self.thumbnails = Thumbnails(cache_dir / "thumbnails")
        self.trash = Trash(data_dir / "outputs" / FOLDER)
        self._stop = threading.Event()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self.indexed = 0
        self.indexing = False

    def start(self) -> None:
        """Begins to index in the background."""
        self._wanted.set()
        self._thread = threading.Thread(target=self._work, name="library", daemon=True)
        self._thread.start()

    def refresh(self) -> None:
        """Looks through the folders again, soon."""
        self._wanted.set()

    def added(self, paths: Iterable[Path]) -> None:
        """Takes in pictures that have just been written, without waiting for the next look."""
        pictures = []
        for path in paths:
            if path.is_file() and self._is_ours(path):
                found = path.stat()
                pictures.append(read_picture(path.resolve(), (found.st_mtime_ns, found.st_size)))
        self.index.put(pictures)

    def search(self, text: str = "", *, order: str = "newest", after: str = "", limit: int = 100) -> Page:
        """See `PictureIndex.search`."""
        return self.index.search(text, order=order, after=after, limit=limit)

    def file(self, id: int) -> Path:
        """The file of a picture, which lies in one of our folders. Raises: NotFound."""
        path = self.index.get(id).picture.path
        if not path.is_file() or not self._is_ours(path):
            self.index.forget([path])
            raise NotFound(f"{path.name} is no longer there: refresh the library.")
        return path

    def thumbnail(self, id: int) -> Path:
        """The small version of a picture. Raises: NotFound."""
        row = self.index.get(id)
        self.file(id)
        return self.thumbnails.of(row.picture)

    def row(self, id: int) -> Row:
        """A picture with its text. Raises: NotFound."""
        return self.index.get(id)

    def delete(self, ids: Iterable[int]) -> list[str]:
        """Moves pictures into the trash. Returns: their names there. Raises: NotFound, WebuiError."""
        return self.throw(self.file(id) for id in ids)

    def throw(self, paths: Iterable[Path]) -> list[str]:
        """As `delete`, for files that need not be indexed. Raises also: Refused for one in no folder of ours."""
        names = []
        for path in paths:
            if not self._is_ours(path):
                raise Refused(f"{path.name} lies in no folder of pictures, so it is not deleted from here.")
            names.append(self.trash.throw(path))
            self.index.forget([path])
        return names

    def restore(self, names: Iterable[str]) -> list[Path]:
        """Takes pictures back out of the trash. Raises: NotFound, WebuiError."""
        paths = [self.trash.take_back(name) for name in names]
        self.added(paths)
        return paths

    def close(self) -> None:
        """Stops indexing."""
        self._stop.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.index.close()

    def _is_ours(self, path: Path) -> bool:
        resolved = path.resolve()
        return any(resolved.is_relative_to(folder.resolve()) for folder in self._folders())

    def _work(self) -> None:
        while not self._stop.is_set():
            self._wanted.wait()
            self._wanted.clear()
            if self._stop.is_set():
                return
            self.indexing, self.indexed = True, 0
            try:
                bring_up_to_date(self.index, self._folders(), stop=self._stopped, done=self._count)
            except OSError as error:
                log.warning("The library of pictures could not be brought up to date: %s", error)
            self.indexing = False

    def _stopped(self) -> bool:
        # Drawing comes first: while a job runs we go slowly, but we do go on, as jobs may run all day.
        if self._busy():
            self._stop.wait(0.1)
        return self._stop.is_set()

    def _count(self, count: int) -> None:
        self.indexed = count
