"""Pictures that are shown to the network as they are, with a mask or without."""

from __future__ import annotations

from modules.control.preprocessor import Bytes, Preprocessor, Wish


def as_it_is(picture: Bytes, wish: Wish) -> Bytes:
    return picture


PLAIN = (
    Preprocessor("none", as_it_is, ("InstructP2P",)),
    Preprocessor("inpaint_only", as_it_is, ("Inpaint",), resolution=None, takes_mask=True, first=True),
    Preprocessor("inpaint", as_it_is, ("Inpaint",), "inpaint_global_harmonious", resolution=None, takes_mask=True),
)
