"""Every error a user can meet. The message is a sentence that names the value and the way out.

WebuiError                 something a person can act on; `status` is what an HTTP face answers with
├── BadRequest       422   a value that cannot be honoured (unknown sampler, size of 0, broken picture)
│   └── NotFound     404   a named thing that is not there (checkpoint, LoRA, job)
├── Refused          403   not allowed here (frozen setting, path outside its root, unsafe pickle)
├── UnknownFile      422   a model file of a kind we cannot use
├── OutOfMemory      507   it does not fit; says what would
└── BrokenResult     500   the network returned NaN
Stopped                    not errors: how a watcher ends work early
├── Interrupted            keep what there is, end the job
├── Skipped                keep what there is, go on with the next batch
└── Cancelled              throw it away
"""

from __future__ import annotations


class WebuiError(Exception):
    """A sentence for the person who asked, and the way out."""

    status = 500


class BadRequest(WebuiError):
    status = 422


class NotFound(BadRequest):
    status = 404


class Refused(WebuiError):
    status = 403


class UnknownFile(WebuiError):
    status = 422


class OutOfMemory(WebuiError):
    status = 507


class BrokenResult(WebuiError):
    status = 500


class Stopped(Exception):
    """Raised by a watcher to end work early."""


class Interrupted(Stopped):
    """End the job after this step and keep the picture."""


class Skipped(Stopped):
    """End this batch after this step, keep the picture, go on with the next batch."""


class Cancelled(Stopped):
    """End the job and throw it away."""
