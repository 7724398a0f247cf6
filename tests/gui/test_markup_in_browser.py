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


def test_html_of_descriptions_formats_and_does_nothing_else(page) -> None:
    """With extra_networks_card_description_is_html on: what a download brings as its description."""
    hostile = (
        '<p onclick="window.owned=1" style="position:fixed">A <b>bold</b> word, <img src=x onerror="window.owned=1">'
        '<a href="https://example.org/x">a page</a> <a href=" javascript:window.owned=1">no page</a></p>'
        "<script>window.owned=1</script><svg onload='window.owned=1'><style>*{display:none}</style></svg>"
        "<iframe srcdoc='<script>parent.owned=1</script>'></iframe><math><mtext><table><mglyph><style><img src=x "
        "onerror=window.owned=1></style></mglyph></table></mtext></math><form name=body><input name=childNodes></form>"
    )
    shown = page.evaluate(
        """async (hostile) => {
            const main = document.querySelector("script[src$='/main.js']").src;
            const { safeHtml } = await import(main.replace("main.js", "safe_html.js"));
            const place = document.createElement("div");
            place.append(safeHtml(hostile));
            document.body.append(place);
            await new Promise((done) => setTimeout(done, 300));
            place.remove();
            return place.innerHTML;
        }""",
        hostile,
    )
    link = '<a href="https://example.org/x" target="_blank" rel="noopener noreferrer">a page</a>'
    assert shown.startswith(f"<p>A <b>bold</b> word, {link} <a>no page</a></p>")
    assert "owned" not in shown
    assert page.evaluate("window.owned") is None
