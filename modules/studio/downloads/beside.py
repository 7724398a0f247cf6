"""What is put beside a downloaded model: notes as A1111 keeps them, the site's own words, a preview picture."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import httpx
from PIL import Image

from modules.checkpoints.notes import preview_of, write_notes
from modules.studio import web
from modules.studio.downloads.sites import Asker, Offer
from modules.terms.atomic import replacing
from modules.terms.errors import WebuiError

MAX_PICTURE = 24 << 20
FORMATS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


def put_beside(model: Path, offer: Offer, asker: Asker) -> str:
    """Writes what the site says of `model` beside it; what is there already stays. Returns: "", or what was not to be
    had."""
    try:
        if offer.notes:
            write_notes(model, dict(offer.notes), keep=True)
        info = model.with_name(f"{model.stem}.civitai.info")
        if offer.info and not info.exists():
            with replacing(info) as draft:
                draft.write_text(json.dumps(offer.info, indent=4, ensure_ascii=False), encoding="utf-8")
        if offer.preview and preview_of(model) is None:
            _save_picture(model, web.read(offer.preview, MAX_PICTURE, allowed=asker.allowed, by_proxy=True))
    except (WebuiError, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return f"The notes or the picture beside it could not be saved: {error}"
    return ""


def _save_picture(model: Path, data: bytes) -> None:
    """Raises: OSError, ValueError if `data` is no picture of a kind that cards show."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data), formats=tuple(FORMATS)) as picture:
                ending = FORMATS[str(picture.format)]
                picture.load()
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, SyntaxError) as error:
            raise ValueError(f"it is no picture that can be shown ({error})") from error
    with replacing(model.with_name(f"{model.stem}.preview{ending}")) as draft:
        draft.write_bytes(data)
