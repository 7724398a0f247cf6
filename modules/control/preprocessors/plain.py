"""Pictures that are shown to the network as they are, with a mask or without."""

from __future__ import annotations

from modules.control.preprocessor import Bytes, Knob, Preprocessor, Wish

FIDELITY = Knob('Style Fidelity (only for "Balanced" mode)', 0, 1, 0.5)
VARIATION = Knob("Variation", 3, 32, 8, 1)


def as_it_is(picture: Bytes, wish: Wish) -> Bytes:
    return picture


PLAIN = (
    Preprocessor("none", as_it_is, ("InstructP2P",)),
    Preprocessor("inpaint_only", as_it_is, ("Inpaint",), resolution=None, takes_mask=True, first=True),
    Preprocessor("inpaint", as_it_is, ("Inpaint",), "inpaint_global_harmonious", resolution=None, takes_mask=True),
    Preprocessor("reference_only", as_it_is, ("Reference",), resolution=None, a=FIDELITY, first=True, lends_look=True),
    Preprocessor("reference_adain", as_it_is, ("Reference",), resolution=None, a=FIDELITY, lends_look=True),
    Preprocessor("reference_adain+attn", as_it_is, ("Reference",), resolution=None, a=FIDELITY, lends_look=True),
    Preprocessor("tile_colorfix", as_it_is, ("Tile",), resolution=None, a=VARIATION),
    Preprocessor(
        "tile_colorfix+sharp", as_it_is, ("Tile",), resolution=None, a=VARIATION, b=Knob("Sharpness", 0, 2, 1)
    ),
)
