"""Dynamic prompts: a template with choices and wildcards -> one prompt by chance, or all that it stands for.

    {red|blue|green}     one of them              {2::red|blue}    red twice as often
    {2$$a|b|c}           two of them, ", " between  {1-3$$ and $$a|b|c}  one to three, " and " between
    __colour__           a line of wildcards/colour.txt, which may have choices and wildcards itself

A bracket or brace behind a backslash is only text. Source: the syntax of sd-dynamic-prompts' documentation.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

WILDCARD = re.compile(r"__(?! )((?:(?!__)[\w\-./* ])+?)(?<! )__")
WEIGHT = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*::")
COUNT = re.compile(r"\s*(?:(\d+)|(\d*)\s*-\s*(\d*))\s*\$\$")

Lines = Callable[[str], Sequence[str] | None]
"""The entries of a wildcard by its name; None if there is no such wildcard."""


@dataclass(frozen=True)
class Wildcard:
    """`__name__`."""

    name: str


@dataclass(frozen=True)
class Choice:
    """`low` to `high` of the options, `joint` between them; an option is (weight, template)."""

    options: tuple[tuple[float, Template], ...]
    low: int = 1
    high: int = 1
    joint: str = ", "


Template = tuple["str | Wildcard | Choice", ...]
ROOT: frozenset[str] = frozenset()


def read(text: str, *, choices: bool = True) -> Template:
    """The template that `text` is. choices False: only wildcards are looked for, braces are text."""
    parts: list[str | Wildcard | Choice] = []
    plain, place = "", 0

    def add(part: Wildcard | Choice) -> None:
        nonlocal plain
        if plain:
            parts.append(plain)
        plain = ""
        parts.append(part)

    while place < len(text):
        sign = text[place]
        found = WILDCARD.match(text, place)
        end = _closing(text, place) if sign == "{" and choices else -1
        if sign == "\\":
            plain, place = plain + text[place : place + 2], place + 2
        elif found:
            add(Wildcard(found[1]))
            place = found.end()
        elif end > 0:
            add(_choice(text[place + 1 : end]))
            place = end + 1
        else:
            plain, place = plain + sign, place + 1
    return (*parts, plain) if plain else tuple(parts)


def is_dynamic(template: Template) -> bool:
    """Whether there is anything to choose."""
    return any(not isinstance(part, str) for part in template)


def one_of(
    template: Template, chance: random.Random, lines: Lines, missing: set[str], within: frozenset[str] = ROOT
) -> str:
    """One prompt of those that `template` stands for. missing: takes the names of wildcards that are not there.

    within: the wildcards whose lines it stands in.
    """
    written = ""
    for part in template:
        if isinstance(part, str):
            written += part
            continue
        options, low, high, joint = _options(part, lines, missing, within)
        count = chance.randint(low, high) if high > low else low
        picked = _picked(options, count, chance)
        written += joint.join(one_of(option, chance, lines, missing, _inside(part, within)) for option in picked)
    return written


def all_of(template: Template, lines: Lines, missing: set[str], within: frozenset[str] = ROOT) -> Iterator[str]:
    """Every prompt that `template` stands for, the last choice changing fastest. Weights do not count."""
    ways = [
        [part] if isinstance(part, str) else _Ways(part, lines, missing, within) for part in template
    ]  # not made before they are asked for: there may be millions
    yield from ("".join(some) for some in _product(ways))


class _Ways:
    """All that a choice or a wildcard may become, as often as they are gone through."""

    def __init__(self, part: Wildcard | Choice, lines: Lines, missing: set[str], within: frozenset[str]) -> None:
        self._asked = (part, lines, missing, within)

    def __iter__(self) -> Iterator[str]:
        part, lines, missing, within = self._asked
        options, low, high, joint = _options(part, lines, missing, within)
        for count in range(low, high + 1):
            for some in itertools.combinations(options, min(count, len(options))):
                each = [_Each(option, lines, missing, _inside(part, within)) for _, option in some]
                yield from (joint.join(texts) for texts in _product(each))


class _Each:
    def __init__(self, template: Template, lines: Lines, missing: set[str], within: frozenset[str]) -> None:
        self._asked = (template, lines, missing, within)

    def __iter__(self) -> Iterator[str]:
        return all_of(*self._asked)


def _product(ways: Sequence[object]) -> Iterator[tuple[str, ...]]:
    """As `itertools.product`, which would go through each of them before it begins."""
    if not ways:
        yield ()
        return
    for first in ways[0]:  # type: ignore[attr-defined]
        for rest in _product(ways[1:]):
            yield (first, *rest)


def _lone(part: Wildcard | Choice) -> Wildcard | None:
    """The wildcard whose lines `part` chooses from: itself, or the one that is all there is between braces."""
    if isinstance(part, Wildcard):
        return part
    only = part.options[0][1] if len(part.options) == 1 else ()
    return only[0] if len(only) == 1 and isinstance(only[0], Wildcard) else None


def _inside(part: Wildcard | Choice, within: frozenset[str]) -> frozenset[str]:
    """The wildcards in whose lines an option of `part` stands."""
    lone = _lone(part)
    return within if lone is None else within | {lone.name}


def _options(
    part: Wildcard | Choice, lines: Lines, missing: set[str], within: frozenset[str]
) -> tuple[Sequence[tuple[float, Template]], int, int, str]:
    """Options, how few and how many of them, and what stands between."""
    lone = _lone(part)
    if isinstance(part, Wildcard):
        return _entries(part, lines, missing, within), 1, 1, ""
    # {2$$__colour__} are two colours.
    options = part.options if lone is None else _entries(lone, lines, missing, within)
    return options, min(part.low, len(options)), min(part.high, len(options)), part.joint


def _entries(
    part: Wildcard, lines: Lines, missing: set[str], within: frozenset[str]
) -> Sequence[tuple[float, Template]]:
    # One that stands in its own lines would go on for ever.
    found = lines(part.name) if part.name not in within else None
    if not found:
        missing.add(part.name)
        return [(1.0, (f"__{part.name}__",))]
    return [_weighted(line) for line in found]


def _picked(options: Sequence[tuple[float, Template]], count: int, chance: random.Random) -> list[Template]:
    """So many different options, the heavier ones sooner."""
    left = list(options)
    picked = []
    for _ in range(min(count, len(left))):
        weights = [weight for weight, _ in left]
        place = chance.choices(range(len(left)), weights if any(weights) else None)[0]
        picked.append(left.pop(place)[1])
    return picked


def _choice(inside: str) -> Choice:
    """What stands between two braces."""
    low, high, joint = 1, 1, ", "
    found = COUNT.match(inside)
    if found:
        inside = inside[found.end() :]
        options = len(_split(inside.rpartition("$$")[2]))
        if found[1] is not None:
            low = high = int(found[1])
        else:
            low, high = int(found[2] or 0), int(found[3] or options)
        before, mark, after = inside.partition("$$")
        if mark:
            joint, inside = before, after
    options_read = tuple(_weighted(option) for option in _split(inside))
    return Choice(options_read, low, max(low, high), joint)


def _weighted(text: str) -> tuple[float, Template]:
    found = WEIGHT.match(text)
    return (float(found[1]), read(text[found.end() :])) if found else (1.0, read(text))


PAIRS: Mapping[str, str] = {"{": "}", "[": "]", "<": ">"}


def _closing(text: str, start: int) -> int:
    """Where the brace at `start` is closed; -1 if it is not."""
    depth, place = 0, start
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == "{":
            depth += 1
        elif text[place] == "}":
            depth -= 1
            if depth == 0:
                return place
        place += 1
    return -1


def _split(text: str) -> list[str]:
    """`text` at its bars, except those inside braces and inside the brackets of prompt editing and networks."""
    parts, begin, place = [], 0, 0
    open_signs: list[str] = []
    while place < len(text):
        sign = text[place]
        if sign == "\\":
            place += 1
        elif sign in PAIRS:
            open_signs.append(PAIRS[sign])
        elif open_signs and sign == open_signs[-1]:
            open_signs.pop()
        elif sign == "|" and not open_signs:
            parts.append(text[begin:place])
            begin = place + 1
        place += 1
    return [*parts, text[begin:]]
