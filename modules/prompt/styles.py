"""Styles: named pieces of prompt in CSV files that A1111 also reads and writes."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modules.terms.atomic import replacing

PLACE = "{prompt}"
_COLUMNS = ("name", "prompt", "negative_prompt")


@dataclass(frozen=True)
class Style:
    """What is put around a prompt: at `{prompt}`, or after it. `path` is the file that holds it (None: the default).

    A divider is the headline of a file in the list on the page; it changes nothing and is not saved.
    """

    name: str
    prompt: str = ""
    negative_prompt: str = ""
    path: Path | None = None
    divider: bool = False


@dataclass(frozen=True)
class StyleBook:
    """All styles, in the order of their files. Changing it returns another book; `save` writes the files."""

    styles: tuple[Style, ...] = ()
    default_path: Path = Path("styles.csv")
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def load(cls, paths: Sequence[Path]) -> StyleBook:
        """The styles in `paths`, whose last part may hold `*` and `?`. New styles go to the first.

        A name that comes twice means the later style. A file that cannot be read becomes a sentence in `notes`,
        and is left alone by `save`.
        """
        if not paths:
            return cls()
        first = paths[0]
        default = next(iter(_matching(first)), first.with_name("styles.csv")) if _is_pattern(first) else first
        files = list(dict.fromkeys(file for path in (default, *paths) for file in _matching(path)))
        styles: dict[str, Style] = {}
        read: list[Path] = []
        notes: list[str] = []
        for file in files:
            if len(files) > 1:
                headline = f" {file.stem.upper()} ".center(40, "-")
                styles[headline] = Style(headline, path=file, divider=True)
            if file.is_file():
                try:
                    styles.update((style.name, style) for style in _read(file))
                except (OSError, UnicodeDecodeError, csv.Error) as error:
                    notes.append(f"The styles in {file} could not be read: {error}. Save the file as CSV in UTF-8.")
                    continue
            read.append(file)
        return cls(tuple(styles.values()), default, tuple(read), tuple(notes))

    def find(self, name: str) -> Style | None:
        return next((style for style in self.styles if style.name == name), None)

    def with_style(self, style: Style) -> StyleBook:
        """A book in which `style` takes the place of the one of that name, or comes last."""
        old = self.find(style.name)
        if old is None:
            return dataclasses.replace(self, styles=(*self.styles, style))
        kept = style if style.path else dataclasses.replace(style, path=old.path)
        return dataclasses.replace(self, styles=tuple(kept if one is old else one for one in self.styles))

    def without(self, name: str) -> StyleBook:
        return dataclasses.replace(self, styles=tuple(style for style in self.styles if style.name != name))

    def apply(self, prompt: str, negative_prompt: str, names: Iterable[str]) -> tuple[str, str]:
        """Both prompts with the styles put around them, left to right. Unknown names change nothing."""
        for name in names:
            style = self.find(name)
            if style is not None and not style.divider:
                prompt = _merge(style.prompt, prompt)
                negative_prompt = _merge(style.negative_prompt, negative_prompt)
        return prompt, negative_prompt

    def extract(self, prompt: str, negative_prompt: str) -> tuple[tuple[str, ...], str, str]:
        """The names of styles found in both prompts, and the prompts without them: the inverse of `apply`."""
        left = [style for style in self.styles if style.prompt or style.negative_prompt]
        names: list[str] = []
        while True:
            for style in left:
                inner = _inner(style.prompt, prompt)
                inner_negative = _inner(style.negative_prompt, negative_prompt)
                if inner is not None and inner_negative is not None:
                    prompt, negative_prompt = inner, inner_negative
                    names.insert(0, style.name)
                    left.remove(style)
                    break
            else:
                return tuple(names), prompt, negative_prompt

    def save(self) -> None:
        """Write every file that was read or owns a style, each at once; its former state stays beside it as .bak.

        Raises: OSError where a file cannot be written.
        """
        owners = dict.fromkeys(file for file in self.files if file.is_file())
        styles = [style for style in self.styles if not style.divider and not style.name.lower().endswith(".csv")]
        owners.update(dict.fromkeys(style.path or self.default_path for style in styles))
        for owner in owners:
            _write(owner, [style for style in styles if (style.path or self.default_path) == owner])


def _is_pattern(path: Path) -> bool:
    return "*" in path.name or "?" in path.name


def _matching(path: Path) -> list[Path]:
    return sorted(path.parent.glob(path.name)) if _is_pattern(path) else [path]


def _read(path: Path) -> list[Style]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    return [
        Style(
            row["name"],
            # A1111 called the column "text" in its first versions.
            row.get("prompt", row.get("text")) or "",
            row.get("negative_prompt") or "",
            path,
        )
        for row in rows
        if row.get("name") and not row["name"].startswith("#")
    ]


def _write(path: Path, styles: Sequence[Style]) -> None:
    if path.is_file():
        shutil.copy(path, path.with_name(path.name + ".bak"))
    with replacing(path) as draft, draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows((style.name, style.prompt, style.negative_prompt) for style in styles)


def _merge(style: str, prompt: str) -> str:
    if PLACE in style:
        return style.replace(PLACE, prompt)
    return ", ".join(filter(None, (prompt.strip(), style.strip())))


def _inner(style: str, prompt: str) -> str | None:
    """What `style` was put around to give `prompt`; None if it was not."""
    style, stripped = style.strip(), prompt.strip()
    if PLACE in style:
        before, _, after = style.partition(PLACE)
        fits = stripped.startswith(before) and stripped.endswith(after) and len(before + after) <= len(stripped)
        return stripped[len(before) : len(stripped) - len(after)] if fits else None
    return stripped.removesuffix(style).removesuffix(", ") if stripped.endswith(style) else None
