"""Faces repaired by GFPGAN, then by CodeFormer, as much as each is to be seen."""

from __future__ import annotations

from PIL import Image

from modules.enhance.upscaler import Work
from modules.generation.postprocessing.step import Piece, Step
from modules.generation.tools import Tools
from modules.terms.extras import ExtrasRequest, FaceRepair


def repaired(image: Image.Image, name: str, visibility: float, weight: float, tools: Tools, work: Work) -> Image.Image:
    """`image` with its faces repaired and shown at `visibility`, 0 to 1; transparency is kept.

    Raises: NotFound saying which weights are missing.
    """
    colours = image.convert("RGB")
    result = tools.face_repair().restore(name, colours, weight, work)
    if visibility < 1:
        result = Image.blend(colours, result, visibility)
    if "A" in image.getbands():
        result.putalpha(image.getchannel("A"))
    return result


def gfpgan(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    share = (request.faces or FaceRepair()).gfpgan_visibility
    image = repaired(piece.image, "GFPGAN", share, 0.5, tools, work)
    return [piece.with_(image, {"GFPGAN visibility": round(share, 3)})]


def codeformer(piece: Piece, request: ExtrasRequest, tools: Tools, work: Work) -> list[Piece]:
    asked = request.faces or FaceRepair()
    share, weight = asked.codeformer_visibility, asked.codeformer_weight
    image = repaired(piece.image, "CodeFormer", share, weight, tools, work)
    return [piece.with_(image, {"CodeFormer visibility": round(share, 3), "CodeFormer weight": round(weight, 3)})]


GFPGAN = Step("GFPGAN", 2000, lambda request: bool(request.faces and request.faces.gfpgan_visibility), gfpgan)
CODEFORMER = Step(
    "CodeFormer", 3000, lambda request: bool(request.faces and request.faces.codeformer_visibility), codeformer
)
