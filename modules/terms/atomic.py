"""Files that are whole or not there: written beside their place under another name, then moved."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; afterwards that file stands at `path`, in place of one that may be there.

    If the block raises, `path` is as it was. Folders are made as needed.
    """
    with _beside(path) as draft:
        yield draft
        _flush(draft)
        draft.replace(path)


@contextlib.contextmanager
def creating(path: Path) -> Iterator[Path]:
    """A path to write to; afterwards that file stands at `path`, which must not exist by then.

    Raises: FileExistsError if something else took the name meanwhile, be it another process. Nothing is left behind.
    """
    with _beside(path) as draft:
        yield draft
        _flush(draft)
        publish(draft, path)


def publish(draft: Path, path: Path) -> None:
    """Give the finished file `draft` the name `path`. Raises: FileExistsError if that is taken; `draft` then stays."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        # No hard links here (FAT, some network drives): take the name first, then move over it.
        path.open("xb").close()
        draft.replace(path)
    else:
        draft.unlink()


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty new file in the folder of `path`, gone afterwards unless it was moved."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix is kept, since libraries choose the format by it; the name is short, since `path` may be as long as
    # the file system allows.
    draft = path.with_name(f".{os.urandom(6).hex()}.tmp{path.suffix}")
    draft.open("xb").close()
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the content on disk before the name points to it: a power cut must not leave an empty file."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
