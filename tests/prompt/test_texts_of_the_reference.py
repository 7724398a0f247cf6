"""What A1111 1.10 made of 72 prompts, recorded: equal to the last digit."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from modules.prompt.attention import parse_attention
from modules.prompt.composition import split_and
from modules.prompt.networks import extract_networks
from modules.prompt.timeline import timeline


@pytest.fixture(scope="module")
def recorded(parity: Path) -> list[dict]:
    return json.loads((parity / "texts" / "prompts.json").read_text())


def test_timelines(recorded):
    for case in recorded:
        for how, expected in case["schedules"].items():
            steps, hires, old = (part.partition("=")[2] for part in how.split(","))
            entries = timeline(
                case["prompt"],
                int(steps),
                hires_steps=None if hires == "None" else int(hires),
                use_old_scheduling=old == "True",
            )
            assert [list(entry) for entry in entries] == expected, (case["prompt"], how)


def test_attention(recorded):
    for case in recorded:
        segments = [list(segment) for segment in parse_attention(case["prompt"])]
        assert segments == case["parse_prompt_attention"], case["prompt"]


def test_composition(recorded):
    for case in recorded:
        (parts,) = case["multicond"]["indexes"]
        expected = [(case["multicond"]["flat_list"][place], weight) for place, weight in parts]
        assert [tuple(part) for part in split_and(case["prompt"])] == expected, case["prompt"]


def test_networks(recorded):
    for case in recorded:
        text, tags = extract_networks(case["prompt"])
        found = {key: defaultdict(list) for key in ("networks", "named", "positional")}
        for tag in tags:
            found["networks"][tag.kind].append(list(tag.args))
            found["named"][tag.kind].append(dict(tag.named))
            found["positional"][tag.kind].append(list(tag.positional))
        assert {"text": text, **found} == case["extra_networks"], case["prompt"]
