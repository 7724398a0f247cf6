"""The one error of the set-up: which step, why, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class SetupError(Exception):
    """`why` says what was met, `advice` what to do; the name of the step is added where steps are run."""

    why: str
    advice: str
    step: str = ""

    def __str__(self) -> str:
        place = f"Stopped at {self.step}.\n" if self.step else ""
        return f"{place}Why:   {self.why}\nNext:  {self.advice}"
