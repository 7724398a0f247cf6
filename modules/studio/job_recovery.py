"""What an earlier process left behind: finished work is recorded, broken-off work waits again, leftovers go."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from modules.studio.job import Retention, SavedFile
from modules.studio.job_codec import PictureStore
from modules.studio.job_queue import FairQueue
from modules.studio.job_store import JobStore

MAX_STARTS = 10
TOO_OFTEN = (
    f"The program ended {MAX_STARTS} times while this job ran, so it is not started again. "
    "It may need more memory than there is: try a smaller size or batch."
)


def recover(store: JobStore, queue: FairQueue) -> None:
    """Fills `queue` with the jobs that wait; one that ran comes first, unless all its files had already arrived."""
    broken_off = []
    for job in store.unfinished():
        if job.state == "queued":
            queue.add(job)
            continue
        ahead = store.ahead(job.id)
        if ahead is not None and all(arrived(file) for file in ahead.files):
            store.finish(job.id, ahead, time.time())
        elif job.starts >= MAX_STARTS:
            store.end(job.id, "failed", TOO_OFTEN, 500, time.time())
        else:
            broken_off.append(job.id)
    for job_id in reversed(broken_off):
        store.requeue(job_id, *queue.head())
        again = store.job(job_id)
        if again is not None:
            queue.add(again)
    order = queue.order()
    queue.serving = order[0].place if order else store.last_place()


def tidy(store: JobStore, pictures: PictureStore, kept: Path, retention: Retention) -> None:
    """Drops what is no longer needed: files of broken-off attempts, old rows and what only they refer to.

    Raises: OSError, sqlite3.Error.
    """
    for job_id, left in store.leftovers().items():
        done = store.job(job_id)
        for file in left:
            # The sha256 says that it is the very file that the broken-off attempt wrote, and nobody's since.
            if done is not None and file.path not in done.files and arrived(file):
                file.path.unlink(missing_ok=True)
        store.forget_leftovers(job_id)
    drop(store.prune(retention, time.time()), store, pictures, kept)


def drop(gone: Collection[str], store: JobStore, pictures: PictureStore, kept: Path) -> None:
    """Removes what only the jobs `gone`, whose rows are no more, referred to. Raises: OSError."""
    for job_id in gone:
        shutil.rmtree(kept / job_id, ignore_errors=True)
    if gone:
        pictures.remove_orphans(store.picture_names())


def sweep(store: JobStore, kept: Path) -> None:
    """Removes the folders of jobs whose rows went just before the process was killed."""
    if kept.is_dir():
        for folder in kept.iterdir():
            if store.job(folder.name) is None:
                shutil.rmtree(folder, ignore_errors=True)


def arrived(file: SavedFile) -> bool:
    """Whether the file is there, with the content that was meant."""
    try:
        return hashlib.sha256(file.path.read_bytes()).hexdigest() == file.sha256
    except OSError:
        return False
