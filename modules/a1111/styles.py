"""`shared.prompt_styles`: the studio's styles in A1111's shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modules.a1111.bound import bound


class Styles:
    """Reads the studio's style book as it stands."""

    @property
    def styles(self) -> dict[str, Any]:
        return {style.name: style for style in bound().studio.styles.styles}

    def get_style_prompts(self, styles: Sequence[str]) -> list[str]:
        return [self.styles[name].prompt for name in styles if name in self.styles]

    def get_negative_style_prompts(self, styles: Sequence[str]) -> list[str]:
        return [self.styles[name].negative_prompt for name in styles if name in self.styles]

    def apply_styles_to_prompt(self, prompt: str, styles: Sequence[str]) -> str:
        return bound().studio.styles.apply(prompt, "", tuple(styles))[0]

    def apply_negative_styles_to_prompt(self, prompt: str, styles: Sequence[str]) -> str:
        return bound().studio.styles.apply("", prompt, tuple(styles))[1]

    def reload(self) -> None:
        bound().studio.reload_styles()
