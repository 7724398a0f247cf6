"""A process to be killed: it works through a queue of jobs whose "pictures" are small text files.

python job_runner.py FOLDER OUTPUTS [KILL_POINT KILL_AT]: with the last two it kills itself at the KILL_AT-th passing
of KILL_POINT. It ends by itself when the queue is empty. With ONE_BY_ONE in the environment it announces its files
instead of its outcome.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from modules.studio.job_store import JobStore
from modules.studio.jobs import Job, Jobs, JobWatch, Outcome, SavedFile
from modules.terms.progress import Progress

KILL_POINTS = ("started", "drawn", "written", "announced", "named_one", "named_all", "recorded", "forgotten")
PICTURES = 2


class Fuse:
    """Kills this process at the n-th passing of one point."""

    def __init__(self, point: str, at: int) -> None:
        self.point, self.left = point, at

    def __call__(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def run_with(outputs: Path, fuse: Fuse, pause: random.Random, *, one_by_one: bool):
    def run(job: Job, watch: JobWatch) -> Outcome:
        fuse("started")
        for step in range(1, 4):
            watch(Progress("sampling", step, 3))
            time.sleep(pause.random() * 0.004)
        fuse("drawn")
        taken = [int(path.name.split("-")[0]) for path in outputs.iterdir() if path.name[0].isdigit()]
        first = max(taken, default=-1) + 1
        files = []
        for number in range(PICTURES):
            content = f"{job.request.prompt} picture {number}".encode()
            path = outputs / f"{first + number:05}-{job.request.prompt}.txt"
            path.with_suffix(".tmp").write_bytes(content)
            files.append(SavedFile(path, hashlib.sha256(content).hexdigest()))
        fuse("written")
        outcome = Outcome({"prompt": job.request.prompt}, tuple(files))
        if one_by_one:
            for file in files:
                watch.writing(file)
        else:
            watch.finishing(outcome)
        fuse("announced")
        for file in files:
            file.path.with_suffix(".tmp").replace(file.path)
            fuse("named_one")
        with (outputs / "log").open("a") as log:
            log.write(f"{job.request.prompt}\n")
        fuse("named_all")
        return outcome

    return run


def main() -> None:
    folder, outputs = Path(sys.argv[1]), Path(sys.argv[2])
    fuse = Fuse(sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else Fuse("", 0)
    real_finish = JobStore.finish

    def finish(self: JobStore, *args: object) -> None:
        real_finish(self, *args)  # type: ignore[arg-type]
        fuse("recorded")

    JobStore.finish = finish  # type: ignore[method-assign]
    jobs = Jobs(folder, run_with(outputs, fuse, random.Random(os.getpid()), one_by_one="ONE_BY_ONE" in os.environ))
    jobs.start()
    while jobs.active():
        time.sleep(0.002)
    fuse("forgotten")
    jobs.close()


if __name__ == "__main__":
    main()
