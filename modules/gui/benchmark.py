"""How fast this machine draws: a few jobs of one size, and a line about them to compare with others."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from modules.gui.needs import Studio
from modules.studio.job import Job
from modules.terms.errors import BadRequest
from modules.terms.request import GenerationRequest

KIND: Final = "benchmark"
ROUNDS: Final = 3
WARM_UP_STEPS: Final = 2
PROMPT: Final = "a lighthouse on a cliff above the sea, evening light"
SEED: Final = 1


@dataclass(frozen=True)
class Measure:
    """What is to be drawn."""

    width: int = 512
    height: int = 512
    steps: int = 20
    batch_size: int = 1


def start(studio: Studio, measure: Measure) -> list[str]:
    """Ids of the jobs: one that loads and warms up, then those that count. Raises: BadRequest if others wait."""
    if studio.jobs.active():
        raise BadRequest(
            "Other jobs are running or waiting, and would be in the way: let them end or cancel them first."
        )
    steps = [WARM_UP_STEPS, *[measure.steps] * ROUNDS]
    return [studio.submit(_request(measure, count), kind=KIND).id for count in steps]


def _request(measure: Measure, steps: int) -> GenerationRequest:
    request = GenerationRequest(
        prompt=PROMPT,
        sampler="Euler a",
        seed=SEED,
        steps=steps,
        width=measure.width,
        height=measure.height,
        batch_size=measure.batch_size,
        # Neither files nor previews are part of what is measured.
        settings={"samples_save": False, "grid_save": False, "return_grid": False, "live_previews_enable": False},
    )
    request.check()
    return request


def report(studio: Studio, ids: Sequence[str]) -> dict[str, Any]:
    """done, of: how many jobs have ended. error: "" or a sentence. Once all have: rate in steps per second for one
    picture, seconds per picture, and the line to paste."""
    jobs = [job for job in map(studio.jobs.get, ids) if job is not None]
    ended = [job for job in jobs if job.state not in ("queued", "running")]
    told: dict[str, Any] = {"done": len(ended), "of": len(ids), "error": _error(ended)}
    counted = [job for job in jobs[1:] if job.state == "done"]
    if len(ended) == len(ids) and counted and not told["error"]:
        told |= _figures(studio, counted)
    return told


def _error(ended: Sequence[Job]) -> str:
    for job in ended:
        if job.state != "done":
            return job.error or "The measurement was stopped."
    return ""


def _figures(studio: Studio, counted: Sequence[Job]) -> dict[str, Any]:
    request = counted[0].request
    seconds = statistics.median(_seconds(job) for job in counted)
    rate = request.steps * request.batch_size / seconds
    record = counted[0].result or {}
    model = (record.get("model") or {}).get("name") or "?"
    machine = machine_facts(studio)
    return {
        "rate": rate,
        "seconds": seconds / request.batch_size,
        "line": " | ".join(
            (
                f"Atelier {studio_version(studio)}",
                f"{rate:.2f} it/s, {seconds / request.batch_size:.2f} s per picture",
                f"{model}, {request.width}x{request.height}, {request.steps} steps, {request.sampler}, "
                f"batch {request.batch_size}, from prompt to file-ready pixels, median of {len(counted)}",
                machine["Device"],
                f"torch {machine['torch']}",
                machine["System"],
                f"Python {machine['Python']}",
                date.today().isoformat(),
            )
        ),
    }


def _seconds(job: Job) -> float:
    return float((job.result or {}).get("seconds") or job.elapsed or 0) or 1e-3


def studio_version(studio: Studio) -> str:
    return str(getattr(studio, "version", "?"))


def machine_facts(studio: Studio) -> dict[str, str]:
    """What this machine is, in words."""
    import sys

    torch = sys.modules.get("torch")  # loaded by the engine; a page shall not load it
    cuda = torch is not None and torch.cuda.is_available()
    device = torch.cuda.get_device_name(0) if torch is not None and cuda else platform.processor() or platform.machine()
    return {
        "System": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "torch": str(getattr(torch, "__version__", "not loaded yet")),
        "Device": device or "CPU",
    }
