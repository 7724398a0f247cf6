"""The counters above the prompts: how many tokens, of how many the chunks hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modules.conditioning.tokenizer import count_tokens

if TYPE_CHECKING:
    from modules.prompt.styles import StyleBook
    from modules.settings.store import Settings


def counters_html(
    prompt: str | None,
    negative_prompt: str | None,
    steps: float | None,
    settings: Settings,
    styles: StyleBook | None = None,
    chosen: Sequence[str] = (),
) -> tuple[str, str]:
    """Both counters as HTML, "12/75", marked where brackets do not close. What the styles `chosen` add counts as well,
    unless the settings say otherwise."""
    if styles is not None and chosen and settings["include_styles_into_token_counters"]:
        prompt, negative_prompt = styles.apply(prompt or "", negative_prompt or "", chosen)
    return _counter(prompt, steps, settings, positive=True), _counter(negative_prompt, steps, settings, positive=False)


def _counter(text: str | None, steps: float | None, settings: Settings, *, positive: bool) -> str:
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
    marked = "" if balanced(text) else " unbalanced"
    return f'<span class="token-counter{marked}">{count.tokens}/{count.limit}</span>'


def balanced(text: str) -> bool:
    """Whether every ( and [ that is not escaped by a backslash is closed, in order."""
    closing = {"(": ")", "[": "]"}
    expected: list[str] = []
    escaped = False
    for letter in text:
        if escaped:
            escaped = False
        elif letter == "\\":
            escaped = True
        elif letter in closing:
            expected.append(closing[letter])
        elif letter in ")]" and (not expected or expected.pop() != letter):
            return False
    return not expected
