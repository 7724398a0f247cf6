"""A job that asks for nothing but its turn: while it runs, code of an extension has the studio's models for itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostedCall:
    """`token`: under which the host of extensions knows who waits for the turn. `what`: for people who read a list."""

    token: str
    what: str = ""

    def check(self) -> None:
        """There is nothing to be wrong."""
