"""Every picture has its place on the sheet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modules.imaging.grids import grid_rows, image_grid


@pytest.mark.parametrize(
    ("count", "options", "rows"),
    [
        (4, {}, 2),
        (5, {}, 2),
        (7, {}, 3),
        (8, {"no_gaps": True}, 2),
        (7, {"no_gaps": True}, 1),
        (9, {"rows": 1}, 1),
        (6, {"rows": 0, "batch_size": 3}, 3),
        (2, {"rows": 16}, 2),
    ],
)
def test_rows_are_chosen_as_the_settings_say(count, options, rows) -> None:
    assert grid_rows(count, **options) == rows


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=20), st.integers(1, 20))
def test_all_pictures_are_on_the_sheet_in_order(sizes, rows) -> None:
    images = [Image.new("RGB", size, (number + 1, 0, 0)) for number, size in enumerate(sizes)]
    rows = min(rows, len(images))
    sheet = image_grid(images, rows, background="#0000ff")
    width, height = max(w for w, _ in sizes), max(h for _, h in sizes)
    columns = sheet.width // width
    assert columns * rows >= len(images)
    for number in range(len(images)):
        row, column = divmod(number, columns)
        assert sheet.getpixel((column * width, row * height)) == (number + 1, 0, 0)


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        image_grid([])
