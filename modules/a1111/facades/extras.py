"""PNG Info and merging, as functions."""

from __future__ import annotations

from modules.a1111.missing import refusing

__getattr__ = refusing("modules.extras")


def run_pnginfo(image):
    """("", text of the picture, HTML of everything it says)."""
    from modules.images import read_info_from_image
    from modules.ui_common import plaintext_to_html

    if image is None:
        return "", "", ""
    geninfo, items = read_info_from_image(image)
    items = {**({"parameters": geninfo} if geninfo else {}), **items}
    rows = [
        f"<div class='infotext'>\n<p><b>{plaintext_to_html(str(key))}</b></p>\n"
        f"<p>{plaintext_to_html(str(text))}</p>\n</div>"
        for key, text in items.items()
    ]
    return "", geninfo, "\n".join(rows) or "<div><p>Nothing found in the image.</p></div>"
