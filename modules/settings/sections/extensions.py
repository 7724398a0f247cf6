"""Where extensions come from."""

from __future__ import annotations

from modules.settings.setting import SYSTEM, Section, section, setting

SETTINGS = section(
    Section("extension_sources", "Extensions", SYSTEM),
    setting(
        "extension_index_address",
        "Address of the list of extensions",
        "",
        "A mirror may stand here. Empty: what the variable WEBUI_EXTENSIONS_INDEX says, else A1111's list on GitHub.",
        location=True,
    ),
    setting(
        "github_address",
        "Address of GitHub, for installing and updating extensions",
        "https://github.com",
        "A mirror may stand here; one that wants the whole address behind its own, too: "
        "https://mirror.example/https://github.com. Proxies are named by the variable HTTPS_PROXY.",
        location=True,
    ),
    setting(
        "package_index_address",
        "Address of pip's index, for what extensions install",
        "",
        "A mirror may stand here. Empty: what the variables PIP_INDEX_URL or INDEX_URL, or pip's files, say.",
        location=True,
    ),
)
