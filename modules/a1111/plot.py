"""A plot of up to three axes: its cells in the order that costs least, the live picture of it, and its grids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from PIL import Image

# The live picture of a plot is not larger than this.
LIVE_SIDE = 1280


@dataclass(frozen=True)
class Cell:
    """One place of a plot: which value of x, y and z."""

    x: int
    y: int
    z: int


@dataclass
class Plot:
    """`sizes`: how many values x, y and z have. `costs`: how much it costs to change each, as numbers to compare.

    cell_size: (width, height) to take until the first picture is there.
    """

    sizes: tuple[int, int, int]
    costs: tuple[float, float, float]
    cell_size: tuple[int, int]
    pictures: dict[Cell, Image.Image] = field(default_factory=dict)

    def order(self) -> Iterator[Cell]:
        """Every cell once. What costs most to change changes least often; else z, then y, then x."""
        outermost = sorted((2, 1, 0), key=lambda axis: -self.costs[axis])
        for places in product(*(range(self.sizes[axis]) for axis in outermost)):
            at = dict(zip(outermost, places, strict=True))
            yield Cell(at[0], at[1], at[2])

    def cells(self) -> list[Cell]:
        """Every cell in the order of reading: x runs fastest, then y, then z."""
        return [Cell(x, y, z) for z in range(self.sizes[2]) for y in range(self.sizes[1]) for x in range(self.sizes[0])]

    def picture(self, cell: Cell) -> Image.Image:
        """What was drawn for a cell; a blank one where nothing was."""
        return self.pictures.get(cell) or Image.new("RGB", self.size, "white")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height that hold every cell."""
        sizes = [picture.size for picture in self.pictures.values()] or [self.cell_size]
        return max(width for width, _ in sizes), max(height for _, height in sizes)

    def live(self, cell: Cell) -> Callable[[Image.Image], Image.Image]:
        """How the picture of the cell that is being drawn is shown: in its place among all, as small as need be."""
        columns, rows = self.sizes[0] * self.sizes[2], self.sizes[1]
        width, height = self.size
        scale = min(1.0, LIVE_SIDE / (width * columns), LIVE_SIDE / (height * rows))
        box = max(1, int(width * scale)), max(1, int(height * scale))
        sheet = Image.new("RGB", (box[0] * columns, box[1] * rows), "#808080")

        def put(where: Cell, picture: Image.Image) -> None:
            small = picture.convert("RGB").resize(box, Image.Resampling.BILINEAR)
            sheet.paste(small, ((where.z * self.sizes[0] + where.x) * box[0], where.y * box[1]))

        for known, picture in self.pictures.items():
            put(known, picture)

        def framed(picture: Image.Image) -> Image.Image:
            put(cell, picture)
            return sheet.copy()

        return framed

    def sheet(self, z: int, across: Sequence[str] | None, down: Sequence[str] | None, margin: int = 0) -> Image.Image:
        """The grid of one value of z. across, down: what stands above its columns and beside its rows, if anything."""
        cells = [Cell(x, y, z) for y in range(self.sizes[1]) for x in range(self.sizes[0])]
        return annotated([self.picture(cell) for cell in cells], self.sizes[1], across, down, margin)


def annotated(
    pictures: Sequence[Image.Image], rows: int, across: Sequence[str] | None, down: Sequence[str] | None, margin: int
) -> Image.Image:
    """`pictures` in so many rows, with these texts around them and `margin` pixels between them."""
    from modules import images

    grid: Image.Image = images.image_grid(list(pictures), rows=rows)
    if across is None and down is None and not margin:
        return grid
    width, height = (max(picture.size[axis] for picture in pictures) for axis in (0, 1))
    columns = grid.width // width

    def texts(given: Sequence[str] | None, count: int) -> list[list[Any]]:
        return [[images.GridAnnotation(text)] for text in (given or [""] * count)]

    labelled: Image.Image = images.draw_grid_annotations(
        grid, width, height, texts(across, columns), texts(down, rows), margin
    )
    return labelled
