"""A face drawn of ellipses, plain enough for a detector that was trained on photographs."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFilter


def with_face(sheet: Image.Image, left: int, top: int, side: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Draws a face into `sheet` (RGB), about `side` pixels wide; returns where its eyes are."""
    face = Image.new("L", (side, int(side * 1.4)), 120)
    draw = ImageDraw.Draw(face)

    def oval(middle: tuple[float, float], width: float, height: float, grey: int) -> None:
        x, y = middle[0] * side, middle[1] * side + 0.17 * side
        draw.ellipse([x - width * side / 2, y - height * side / 2, x + width * side / 2, y + height * side / 2], grey)

    oval((0.5, 0.52), 0.96, 1.35, 60)  # hair
    oval((0.5, 0.57), 0.8, 1.15, 195)
    for eye in (0.31, 0.69):
        oval((eye, 0.385), 0.26, 0.17, 135)
        oval((eye, 0.39), 0.2, 0.1, 130)
        oval((eye, 0.39), 0.1, 0.1, 20)
        oval((eye, 0.27), 0.28, 0.05, 90)
        oval((eye - 0.035 if eye < 0.5 else eye + 0.035, 0.625), 0.25, 0.25, 210)
    oval((0.5, 0.5), 0.12, 0.32, 225)
    oval((0.5, 0.66), 0.18, 0.08, 155)
    oval((0.5, 0.85), 0.34, 0.1, 110)
    sheet.paste(face.filter(ImageFilter.GaussianBlur(side / 50)).convert("RGB"), (left, top))
    height = top + (0.39 + 0.17) * side
    return (left + 0.31 * side, height), (left + 0.69 * side, height)
