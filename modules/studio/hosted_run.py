"""What the worker does with a turn that an extension waits for: it hands itself over and waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.studio.job import Job, Outcome
from modules.studio.job_watch import JobWatch
from modules.terms.errors import WebuiError

if TYPE_CHECKING:
    from modules.studio.studio import Studio


def run_hosted(studio: Studio, job: Job, watch: JobWatch) -> Outcome:
    """Returns once the extension is through. Raises: WebuiError with what it raised, or if it is no longer there."""
    if studio.host is None:
        raise WebuiError(f"{job.request.what or 'A function of an extension'} has not survived the restart.")
    studio.host.hold(job, studio.engine.tools(studio.settings), watch)
    return Outcome({"images": [], "notes": [], "seeds": [], "subseeds": []})
