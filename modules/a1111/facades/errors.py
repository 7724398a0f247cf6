"""Where extensions report what went wrong."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any

log = logging.getLogger("atelier.extensions")
exception_records: list[tuple[str, str]] = []
MAX_RECORDS = 5


def record_exception() -> None:
    exception_records.append(("", traceback.format_exc()))
    del exception_records[:-MAX_RECORDS]


def get_exceptions() -> list[tuple[str, str]]:
    return list(reversed(exception_records))


def report(message: str, *, exc_info: bool = False) -> None:
    record_exception()
    log.error("%s", message, exc_info=exc_info)


def print_error_explanation(message: str) -> None:
    log.error("%s", message)


def display(e: BaseException, task: str, *, full_traceback: bool = False) -> None:
    record_exception()
    log.error("%s: %s: %s", task or "error", type(e).__name__, e, exc_info=e if full_traceback else None)


already_displayed: dict[str, int] = {}


def display_once(e: BaseException, task: str) -> None:
    if task not in already_displayed:
        display(e, task)
        already_displayed[task] = 1


def run(code: Callable[[], Any], task: str) -> None:
    """`code()`, reporting what it raises."""
    try:
        code()
    except Exception as error:
        display(error, task)


def check_versions() -> None:
    """The studio's versions are those of its lock file."""
