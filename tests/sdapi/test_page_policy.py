"""The page asks the studio alone, and whom the owner names."""

from __future__ import annotations

import pytest

from modules.sdapi.page_policy import WITH_HOSTS, page_policy
from modules.terms.errors import BadRequest


def sources(policy: str) -> dict[str, list[str]]:
    return {name: more for name, *more in (part.split() for part in policy.split(";"))}


def test_the_page_asks_the_studio_alone() -> None:
    given = sources(page_policy())
    assert given["default-src"] == given["frame-ancestors"] == ["'self'"]
    assert not [word for words in given.values() for word in words if "//" in word or word == "*"]


def test_named_computers_may_be_asked_but_may_not_frame_the_page() -> None:
    given = sources(page_policy("https://api.example.com, wss://*.example.org:8443"))
    for name, words in given.items():
        assert (words[-2:] == ["https://api.example.com", "wss://*.example.org:8443"]) == (name in WITH_HOSTS)


@pytest.mark.parametrize("named", ["*", "example.com", "https://a.example; script-src *", "data:", "https://a/b"])
def test_nothing_but_a_computer_can_be_named(named: str) -> None:
    with pytest.raises(BadRequest, match="no address of a computer"):
        page_policy(named)
