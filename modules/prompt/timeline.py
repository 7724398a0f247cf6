"""What a prompt says when: tree + number of steps -> texts, each with the step until which it holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from modules.prompt.syntax import Alternate, Nodes, Scheduled, parse


class Entry(NamedTuple):
    """`text` holds up to and including step `until`, counted from 1 in evaluations of the network."""

    until: int
    text: str


class _Pass(NamedTuple):
    """How the numbers in brackets are read. `steps` are those of this pass; the offsets lead into the hires pass."""

    steps: int
    steps_before: int = 0
    fraction_before: float = 0.0
    old: bool = False

    def boundary(self, when: str) -> int:
        """The last step of what stands before the switch, 0 to `steps`."""
        number = float(when)
        if self.old:
            step = number * self.steps if number < 1 else number
        elif "." in when:
            step = (number - self.fraction_before) * self.steps
        else:
            step = number - self.steps_before
        return int(min(max(step, 0), self.steps))


def timeline(
    text: str, steps: int, *, hires_steps: int | None = None, use_old_scheduling: bool = False
) -> tuple[Entry, ...]:
    """The texts that `text` stands for, in order; the last one holds until the end.

    `steps` counts evaluations of the network in the first pass (twice the sampler's steps for second-order samplers).
    With `hires_steps` this is the timeline of the hires pass: whole numbers go on counting from the first pass, and
    fractions 1 to 2 lie in this pass. A number with a dot is a fraction, so `[a:b:1.0]` never switches and `[a:b:1]`
    switches after step 1. `use_old_scheduling`: below 1 is a fraction, else a step, and the hires pass starts over.
    """
    if hires_steps is None or use_old_scheduling:
        read = _Pass(steps, old=use_old_scheduling)
    else:
        read = _Pass(hires_steps, steps_before=steps, fraction_before=1.0)
    tree = parse(text)
    until = {read.steps}
    for node in _nodes(tree):
        if isinstance(node, Alternate):
            until.update(range(1, read.steps + 1))
        elif boundary := read.boundary(node.when):
            until.add(boundary)
    # Alternation repeats its texts: hold each once however many steps there are.
    known: dict[str, str] = {}
    said = ((step, "".join(_said(tree, step, read))) for step in sorted(until))
    return tuple(Entry(step, known.setdefault(now, now)) for step, now in said)


def _nodes(nodes: Nodes) -> Iterator[Scheduled | Alternate]:
    """Every node of the tree that is not text."""
    for node in nodes:
        if isinstance(node, str):
            continue
        yield node
        for inner in node.options if isinstance(node, Alternate) else (node.before or (), node.after):
            yield from _nodes(inner)


def _said(nodes: Nodes, step: int, read: _Pass) -> Iterator[str]:
    """The parts of the text at `step`."""
    for node in nodes:
        if isinstance(node, str):
            yield node
        else:
            yield from _said(_chosen(node, step, read), step, read)


def _chosen(node: Scheduled | Alternate, step: int, read: _Pass) -> Nodes:
    if isinstance(node, Alternate):
        return node.options[(step - 1) % len(node.options)]
    return (node.before or ()) if step <= read.boundary(node.when) else node.after
