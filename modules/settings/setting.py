"""What a setting is: a knob of the whole studio, declared once, and the page of the Settings tab that it stands on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from modules.terms.declare import Checkbox, Choice, Control, Number, Text


@dataclass(frozen=True)
class Category:
    """A heading over sections."""

    id: str
    label: str


SAVING = Category("saving", "Saving images")
DIFFUSION = Category("sd", "Stable Diffusion")
INTERFACE = Category("ui", "User Interface")
SYSTEM = Category("system", "System")
POSTPROCESSING = Category("postprocessing", "Postprocessing")
TRAINING = Category("training", "Training")

CATEGORIES = (SAVING, DIFFUSION, INTERFACE, SYSTEM, POSTPROCESSING, TRAINING)


@dataclass(frozen=True)
class Section:
    """A page of the Settings tab. Without a category it comes last; with an empty id it is not shown."""

    id: str
    label: str
    category: Category | None = None


@dataclass(frozen=True)
class Setting:
    """One setting. Its `default` is None, a bool, int, float, str or a tuple of str.

    infotext: its name in the text inside pictures; empty if it is not restored from there.
    reload: takes effect when the page is loaded anew.
    api_restricted: requests cannot change it.
    location: decides where files are written; locked by --hide-ui-dir-config.
    """

    key: str
    label: str
    default: Any
    control: Control
    help: str = ""
    section: Section = dataclasses.field(default=Section("", ""), compare=False)
    infotext: str = ""
    reload: bool = False
    api_restricted: bool = False
    location: bool = False

    @property
    def category(self) -> Category | None:
        return self.section.category


def natural_control(default: object) -> Control:
    """The control for a value of this type when nothing more is known.

    Raises: ValueError for a type that has none.
    """
    if isinstance(default, bool):
        return Checkbox()
    if isinstance(default, int):
        return Number(integer=True)
    if isinstance(default, float):
        return Number()
    if isinstance(default, str) or default is None:
        return Text()
    if isinstance(default, (tuple, list)):
        return Choice(listing="any", many=True)
    raise ValueError(f"A setting cannot hold {default!r}.")


def setting(
    key: str,
    label: str,
    default: Any,
    help: str = "",
    control: Control | None = None,
    *,
    infotext: str = "",
    reload: bool = False,
    api_restricted: bool = False,
    location: bool = False,
) -> Setting:
    """A Setting that is not yet in a section; without a control it gets the one natural to its default."""
    return Setting(
        key,
        label,
        default,
        control or natural_control(default),
        help,
        infotext=infotext,
        reload=reload,
        api_restricted=api_restricted,
        location=location,
    )


def section(section: Section, *settings: Setting) -> tuple[Setting, ...]:
    """`settings`, now in `section`."""
    return tuple(dataclasses.replace(one, section=section) for one in settings)


def in_order_of_display(settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """`settings` by category, then by the label of their section (capitals first); those without a category last.

    The order in which settings that a picture names are listed on paste follows from it.
    """

    def place(one: Setting) -> tuple[int, str]:
        category = one.section.category
        # An extension may have made up a category.
        known = category in CATEGORIES
        return (CATEGORIES.index(category) if known else len(CATEGORIES)), one.section.label

    return tuple(sorted(settings, key=place))
