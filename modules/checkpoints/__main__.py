"""`python -m modules.checkpoints FILE …` says what each file is."""

from __future__ import annotations

import sys
from pathlib import Path

from modules.checkpoints.inspect import FileReport, inspect_file
from modules.terms.errors import WebuiError


def lines_of(report: FileReport) -> list[str]:
    """The report as text, one fact a line."""
    facts = {
        "belongs in": report.folder,
        "trigger words": ", ".join(report.trigger_words),
        "numbers": f"{report.tensors} tensors, {', '.join(report.dtypes)}",
        **report.training,
        "frequent tags": ", ".join(report.tags),
    }
    return [report.sentence, *report.notes, *(f"  {name}: {value}" for name, value in facts.items() if value)]


def main(files: list[str]) -> int:
    """0 if every file could be read. What could not is said on stderr."""
    failed = 0
    for name in files:
        try:
            sys.stdout.write("\n".join([name, *lines_of(inspect_file(Path(name)))]) + "\n")
        except WebuiError as error:
            failed = 1
            sys.stderr.write(f"{name}\n{error}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
