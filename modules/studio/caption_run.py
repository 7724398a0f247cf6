"""What the worker does with a picture that is to be put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.studio.job import Job, Outcome
from modules.terms.progress import Progress, Watcher

if TYPE_CHECKING:
    from modules.studio.studio import Studio


def run_caption(studio: Studio, job: Job, watch: Watcher) -> Outcome:
    """The words are the record's `said`. A job that is cancelled ends before the model is asked, not while it thinks.

    Raises: NotFound, UnknownFile, Stopped.
    """
    watch(Progress("loading"))
    said = studio.caption(job.request.image, job.request.model)
    watch(Progress("finishing"))
    return Outcome({"images": [], "notes": [], "seeds": [], "subseeds": [], "said": said})
