"""Custom code: what the user wrote draws, where the command line allows it."""

from __future__ import annotations


def test_code_draws_and_shows(hosted) -> None:
    studio = hosted("--allow-code")
    code = (
        "from modules.processing import process_images\np.seed = 9\ntext = '''two\nlines'''\nreturn process_images(p)"
    )
    job = studio.draw(script=("Custom code", (code, 2)))
    assert [image["seed"] for image in job.result["images"]] == [9]
    shown = studio.draw(script=("Custom code", ("from PIL import Image\ndisplay([Image.new('RGB', (8, 8))])", 2)))
    assert [image["width"] for image in shown.result["images"]] == [8]
    refused = studio.draw(script=("Custom code", ("x = 1\nreturn (", 2)))
    assert refused.error_status == 422
    assert "line 2" in refused.error
