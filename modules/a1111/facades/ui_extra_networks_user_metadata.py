"""A1111's editor of what stands beside a model's file. The studio's cards have one of their own; this is for those who
derive from it."""

from __future__ import annotations

from modules.a1111.missing import refusing


class UserMetadataEditor:
    """Takes what A1111's takes; nobody opens it."""

    def __init__(self, ui, tabname, page):
        self.ui, self.tabname, self.page = ui, tabname, page
        self.id_part = f"{tabname}_{page.extra_networks_tabname}_edit_user_metadata"
        self.box = None

    def get_user_metadata(self, name):
        item = self.page.items.get(name, {})
        metadata = item.get("user_metadata")
        if metadata is None:
            metadata = item["user_metadata"] = {"description": item.get("description", "")}
        return metadata

    def create_extra_default_items_in_left_column(self):
        pass

    def create_editor(self):
        pass


__getattr__ = refusing("modules.ui_extra_networks_user_metadata")
