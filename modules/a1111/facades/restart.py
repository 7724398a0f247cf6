"""Ending and starting the studio again."""

from __future__ import annotations

from modules.a1111.bound import bound


def is_restartable():
    return bool(bound().studio.flags.restart_file)


def restart_program():
    bound().studio.stop(restart=True)


def stop_program():
    bound().studio.stop()
