"""Names of files are shown as they are and never become part of the page (A1111 CVE-2026-111984)."""

from __future__ import annotations

from tests.gui.stand_in import StandIn
from tests.studio.lora_files import model_bytes
from tests.studio.test_gallery import save

MARKUP = '<img src=x onerror="window.owned=1">'


def test_markup_in_names_is_text(page, studio: StandIn) -> None:
    folder = studio.flags.lora_dir
    folder.mkdir(parents=True, exist_ok=True)
    lora = folder / f"{MARKUP}.safetensors"
    lora.write_bytes(model_bytes())
    picture = save(studio.outputs.folders(studio.settings)[0] / f"{MARKUP}.png", f"{MARKUP} prompt")
    studio.gallery.added([picture])
    try:
        page.click("#txt2img_lora-button")
        page.wait_for_selector("#txt2img_lora_cards .card")
        assert "onerror" in page.inner_text("#txt2img_lora_cards")
        page.click("#tab_library-button")
        page.click(".library-open")
        page.wait_for_selector("#library_detail[open] .library-text")
        assert MARKUP in page.inner_text("#library_detail h2")
        assert page.evaluate("window.owned") is None
    finally:
        lora.unlink()
        studio.gallery.index.forget([picture.resolve()])
        picture.unlink()
