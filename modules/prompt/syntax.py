"""The brackets that change a prompt while it is sampled: text -> a small tree -> text.

    [from:to:when]   [to:when]   [from::when]     Scheduled
    [a|b|c]                                       Alternate

Everything else is text here, `(word:1.2)` and `[word]` too: attention.py reads those from what a timeline says.

A pair of brackets counts only if all inside it is well formed; where it is not, its brackets and colons are text.
A `|` outside an alternation, or a backslash at the end of a line, makes the whole prompt text, as in A1111.
So there is no malformed prompt, and `render(parse(text)) == text` for every text.

Beside stray brackets, as in `[a:b:5]]`, A1111 reads a well-formed pair now as a schedule, now as text: its choice
between ambiguous readings changes with every start of the program. Here a well-formed pair always counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

# Brackets nested deeper than this are text. Nobody writes them, and readers of the tree may recurse.
MAX_DEPTH = 50


@dataclass(frozen=True)
class Scheduled:
    """`before` up to the moment `when`, `after` from then on. `before` is None where `[to:when]` was written.

    `when` is the number as written, with its spaces: whether it has a dot decides what it means (timeline.py).
    """

    before: Nodes | None
    after: Nodes
    when: str


@dataclass(frozen=True)
class Alternate:
    """One of `options` at each step, in turn. At least two."""

    options: tuple[Nodes, ...]


Node = str | Scheduled | Alternate
Nodes = tuple[Node, ...]

_SPECIAL = re.compile(r"[\\()\[\]:|]")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")


@dataclass
class _Open:
    """A bracket not yet closed: where in the output it stands, and where its own `:` and `|` do."""

    bracket: str
    start: int
    cuts: list[int] = field(default_factory=list)
    bars: int = 0
    depth: int = 0


def parse(text: str) -> Nodes:
    """The tree of `text`. Never raises; time and memory grow linearly with the length.

    One pass over one flat output. When a bracket closes well, what came since it opened is folded into one node, or
    stays where it is for `(…)` and `[…]`. When a closing bracket does not fit, nothing that is still open can be well
    formed any more: it is forgotten, and what it holds is already where it belongs, as text.
    """
    out: list[Node] = []
    opened: list[_Open] = []
    position = written = 0
    while found := _SPECIAL.search(text, position):
        at, mark = found.start(), found.group()
        if mark == "\\":
            if text[at + 1 : at + 2] in ("", "\n"):
                return (text,)
            position = at + 2
            continue
        if at > written:
            out.append(text[written:at])
        position = written = at + 1
        if mark in "([":
            opened.append(_Open(mark, len(out)))
        elif mark == ":":
            if opened:
                opened[-1].cuts.append(len(out))
        elif mark == "|":
            if not opened or opened[-1].bracket == "(":
                return (text,)
            opened[-1].cuts.append(len(out))
            opened[-1].bars += 1
        elif opened and (node := _fold(opened[-1], mark, out)):
            del out[opened[-1].start :]
            out.append(node)
            _leave(opened, deeper=1)
            continue
        elif opened and _is_pair(opened[-1], mark):
            _leave(opened, deeper=0)
        elif any(bracket.bars for bracket in opened):
            return (text,)
        else:
            opened.clear()
        out.append(mark)
    if any(bracket.bars for bracket in opened):
        return (text,)
    out.append(text[written:])
    return _joined(out)


def render(nodes: Nodes) -> str:
    """The text that `nodes` was parsed from."""
    return "".join(map(_render, nodes))


def _render(node: Node) -> str:
    if isinstance(node, str):
        return node
    if isinstance(node, Alternate):
        return f"[{'|'.join(map(render, node.options))}]"
    before = "" if node.before is None else render(node.before) + ":"
    return f"[{before}{render(node.after)}:{node.when}]"


def _fold(inner: _Open, mark: str, out: list[Node]) -> Node | None:
    """The node that `inner`, closed by `mark`, makes of the output since it opened; None if it is no such thing."""
    if inner.bracket + mark != "[]" or not inner.cuts or inner.depth >= MAX_DEPTH:
        return None
    edges = [inner.start, *inner.cuts, len(out)]
    pieces = [out[left + 1 : right] for left, right in zip(edges, edges[1:])]  # noqa: B905
    if inner.bars == len(inner.cuts):
        return Alternate(tuple(map(_joined, pieces)))
    when = pieces[-1]
    if inner.bars or len(inner.cuts) > 2 or len(when) != 1:
        return None
    if not isinstance(when[0], str) or not _NUMBER.fullmatch(when[0]):
        return None
    before = _joined(pieces[0]) if len(pieces) == 3 else None
    return Scheduled(before, _joined(pieces[-2]), when[0])


def _is_pair(inner: _Open, mark: str) -> bool:
    """Whether this is `(…)`, `(…:…)` or `[…]`."""
    return len(inner.cuts) <= {"()": 1, "[]": 0}.get(inner.bracket + mark, -1)


def _leave(opened: list[_Open], deeper: int) -> None:
    """Drop the innermost open bracket; the one around it is at least that deep."""
    depth = opened.pop().depth + deeper
    if opened:
        opened[-1].depth = max(opened[-1].depth, depth)


def _joined(nodes: Iterable[Node]) -> Nodes:
    """`nodes` with neighbouring texts made one and empty ones left out."""
    joined: list[Node] = []
    for is_text, group in groupby(nodes, key=lambda node: isinstance(node, str)):
        if is_text:
            text = "".join(map(str, group))
            if text:
                joined.append(text)
        else:
            joined.extend(group)
    return tuple(joined)
