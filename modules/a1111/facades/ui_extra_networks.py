"""Pages of cards below the prompt: the studio's own as A1111 lists them, and those that extensions register."""

from __future__ import annotations

import json
import os
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from modules import errors, shared  # noqa: F401 - reached through this module
from modules.a1111.bound import bound
from modules.a1111.missing import refusing

extra_pages: list = []
allowed_dirs: set = set()
default_allowed_preview_extensions = ["png", "jpg", "jpeg", "webp", "gif"]


@dataclass
class ExtraNetworksItem:
    item: dict


def allowed_preview_extensions_with_extra(extra_extensions=None):
    return set(default_allowed_preview_extensions) | set(extra_extensions or [])


def allowed_preview_extensions():
    return allowed_preview_extensions_with_extra([shared.opts.samples_format])


def quote_js(s):
    """`s` as a string of JavaScript."""
    return json.dumps(s, ensure_ascii=False)


def register_page(page):
    """From now on `page` is a tab below the prompts, once the page of the studio is built."""
    extra_pages.append(page)
    allowed_dirs.clear()
    allowed_dirs.update({folder for one in extra_pages for folder in one.allowed_directories_for_previews()})


def initialize():
    extra_pages.clear()


def get_metadata(page="", item=""):
    found = next((one for one in extra_pages if one.name == page), None)
    metadata = found.metadata.get(item) if found is not None else None
    return {"metadata": json.dumps(metadata, indent=4, ensure_ascii=False)} if metadata is not None else {}


class ExtraNetworksPage:
    """A page; an extension derives from it. `list_items()` gives a dictionary for each card."""

    def __init__(self, title):
        self.title = title
        self.name = title.lower()
        self.id_page = self.name.replace(" ", "_")
        self.extra_networks_tabname = self.id_page
        self.allow_prompt = True
        self.allow_negative_prompt = False
        self.metadata = {}
        self.items = {}
        self.lister = None

    def refresh(self):
        """Looks again for what there is to list."""

    def list_items(self):
        raise NotImplementedError

    def create_item(self, name, index=None, enable_filter=True):
        return None

    def allowed_directories_for_previews(self):
        return []

    def create_user_metadata_editor(self, ui, tabname):
        """The studio shows what a card says of itself; A1111's editor has no place here."""

    def read_user_metadata(self, item, use_cache=True):
        """What the JSON beside the file says, in `item["user_metadata"]`."""
        from modules.extra_networks import get_user_metadata

        metadata = get_user_metadata(item.get("filename"))
        if desc := metadata.get("description"):
            item["description"] = desc
        item["user_metadata"] = metadata

    def link_preview(self, filename):
        quoted = urllib.parse.quote(filename.replace("\\", "/"))
        return f"internal/a1111/thumb?filename={quoted}&mtime={int(os.path.getmtime(filename))}"

    def search_terms_from_path(self, filename, possible_directories=None):
        folders = self.allowed_directories_for_previews() if possible_directories is None else possible_directories
        path = os.path.abspath(filename)
        for folder in folders:
            folder = os.path.abspath(folder)
            if path.startswith(folder):
                return os.path.splitext(path[len(folder) :])[0].replace("\\", "/")
        return ""

    def find_preview(self, path):
        """The address of the picture beside `path` (without its ending); None if there is none."""
        for extension in sorted(allowed_preview_extensions()):
            for file in (f"{path}.{extension}", f"{path}.preview.{extension}"):
                if os.path.isfile(file):
                    return self.link_preview(file)
        return None

    def find_embedded_preview(self, path, name, metadata):
        return None

    def find_description(self, path):
        file = Path(f"{path}.txt")
        return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else None

    def get_sort_keys(self, path):
        file = Path(path)
        stat = file.lstat() if file.exists() else os.stat_result((0,) * 10)
        return {
            "date_created": int(stat.st_mtime),
            "date_modified": f"{stat.st_mtime}-{file.name.lower()}",
            "name": file.name.lower(),
            "path": str(file).lower(),
        }


class _Own(ExtraNetworksPage):
    """A page of the studio's own cards."""

    def __init__(self, title, kind):
        super().__init__(title)
        self.kind = kind

    def refresh(self):
        bound().studio.refresh(self.kind)

    def list_items(self):
        cards, found = bound().studio.cards, 0
        while True:
            page = cards.search(self.kind, offset=found, limit=1000)
            for card in page.cards:
                yield self._item(card, found)
                found += 1
            if found >= page.total or not page.cards:
                return

    def _item(self, card, index):
        prompt, negative = bound().studio.cards.prompt(self.kind, card)
        file = str(card.model.path)
        item = {
            "name": os.path.splitext(card.model.name)[0] if self.kind == "checkpoints" else card.model.name,
            "filename": file,
            "shorthash": card.model.hash,
            "preview": str(card.preview) if card.preview else None,
            "description": card.description,
            "search_terms": [card.model.slashed],
            "local_preview": f"{os.path.splitext(file)[0]}.{shared.opts.samples_format}",
            "metadata": {},
            "user_metadata": dict(card.notes),
            "sort_keys": {"default": index, **self.get_sort_keys(file)},
            "sd_version": card.model.base,
        }
        if self.kind != "checkpoints":
            item["prompt"], item["negative_prompt"] = quote_js(prompt), quote_js(negative)
        return item


def register_default_pages():
    """The studio's own pages, for those who walk through all; its page shows them by itself."""
    for title, kind in (
        ("Textual Inversion", "embeddings"),
        ("Hypernetworks", "hypernetworks"),
        ("Checkpoints", "checkpoints"),
        ("Lora", "loras"),
    ):
        register_page(_Own(title, kind))


def pages_of_extensions():
    return [page for page in extra_pages if not isinstance(page, _Own)]


def pages_in_preferred_order(pages):
    return list(pages)


register_default_pages()

__getattr__ = refusing("modules.ui_extra_networks")
