"""The counters above the prompts: how many tokens, of how many the chunks hold, and which bracket does not close."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modules.conditioning.tokenizer import count_tokens
from modules.gui.i18n import FALLBACK, say

if TYPE_CHECKING:
    from modules.prompt.styles import StyleBook
    from modules.settings.store import Settings

# So much of the text is quoted on each side of a bracket.
NEAR = 12


def counters_html(
    prompt: str | None,
    negative_prompt: str | None,
    steps: float | None,
    settings: Settings,
    styles: StyleBook | None = None,
    chosen: Sequence[str] = (),
    language: str = FALLBACK,
) -> tuple[str, str]:
    """Both counters as HTML, "12/75", marked where a bracket has no partner, with a hint that tells which. What the
    styles `chosen` add counts as well, unless the settings say otherwise."""
    typed = (prompt or "", negative_prompt or "")
    counted = typed
    if styles is not None and chosen and settings["include_styles_into_token_counters"]:
        counted = styles.apply(*typed, chosen)
    return (
        _counter(counted[0], steps, settings, _mark(typed[0], counted[0], language), positive=True),
        _counter(counted[1], steps, settings, _mark(typed[1], counted[1], language), positive=False),
    )


def _counter(text: str, steps: float | None, settings: Settings, mark: str, *, positive: bool) -> str:
    if not text or settings["disable_token_counters"]:
        return '<span class="token-counter"></span>'
    count = count_tokens(
        text,
        steps=int(steps or 20),
        positive=positive,
        comments=settings["enable_prompt_comments"],
        emphasis=settings["emphasis"] != "None",
        old_emphasis=settings["use_old_emphasis_implementation"],
        backtrack=settings["comma_padding_backtrack"],
    )
    name = "token-counter unbalanced" if mark else "token-counter"
    return f'<span class="{name}"{mark}>{count.tokens}/{count.limit}</span>'


def _mark(typed: str, counted: str, language: str) -> str:
    """The counter's attributes if a bracket has no partner: a hint, and where in the prompt it is; "" if none is."""
    at = lone_bracket(typed)
    if at is None:
        said = say("notice.bracket_style", language) if lone_bracket(counted) is not None else ""
        return f' title="{html.escape(said)}"' if said else ""
    key = "notice.bracket_opened" if typed[at] in "([" else "notice.bracket_closed"
    said = say(key, language, bracket=typed[at], number=at + 1, near=typed[max(0, at - NEAR) : at + NEAR + 1].strip())
    return f' title="{html.escape(said)}" data-at="{at}" role="button" tabindex="0"'


def lone_bracket(text: str) -> int | None:
    """Where the first ( [ ) or ] stands that has no partner and no backslash before it; None if all are in order."""
    closing = {"(": ")", "[": "]"}
    opened: list[int] = []
    escaped = False
    for place, letter in enumerate(text):
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter in closing:
            opened.append(place)
        elif letter in ")]":
            if not opened:
                return place
            if closing[text[opened[-1]]] != letter:
                return opened[-1]
            opened.pop()
    return opened[0] if opened else None
