"""Tasks of the queue, under A1111's names."""

from __future__ import annotations

from modules.a1111.bound import bound
from modules.a1111.missing import not_offered


def start_task(id_task):
    """Tasks begin when their turn comes."""


def add_task_to_queue(id_job):
    """Jobs are in the queue when they are submitted."""


def finish_task(id_task):
    """Jobs end by themselves."""


def record_results(id_task, res):
    """Results are kept by the studio."""


def __getattr__(name):
    jobs = bound().studio.jobs
    if name == "current_task":
        return next((job.task_id for job in jobs.active() if job.state == "running"), None)
    if name == "pending_tasks":
        return {job.task_id: job.created for job in jobs.active() if job.state == "queued"}
    if name == "finished_tasks":
        return [job.task_id for job in jobs.history(16)]
    raise not_offered("modules.progress", name)
