"""A scene in words: as a sentence or as tags, with everything said or only some of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tools.mini.scenes import Scene

ATTRIBUTES = ("kind", "colour", "sky", "ground", "count", "position", "size")
NUMBERS = {2: ("two", "2"), 3: ("three", "3")}
SKY_PHRASES = {
    "day": ("in the daytime", "by day", "under a day sky"),
    "sunset": ("at sunset", "under a sunset sky"),
    "night": ("at night", "under a night sky"),
}
SKY_TAGS = {"day": ("day", "daytime", "day sky"), "sunset": ("sunset", "sunset sky"), "night": ("night", "night sky")}
SIZE_WORDS = {"small": ("small", "little", "tiny"), "medium": ("",), "big": ("big", "large", "huge")}
POSITION_PHRASES = {
    "left": ("on the left", "on the left side"),
    "centre": ("in the centre", "in the middle", "in the center"),
    "right": ("on the right", "on the right side"),
}
POSITION_TAGS = {"left": ("left",), "centre": ("centre", "center", "middle"), "right": ("right",)}
OPENINGS = ("", "", "", "", "a picture of ", "an illustration of ", "a drawing of ", "there is ")
FILLERS = (
    "flat illustration", "simple", "beautiful", "masterpiece", "best quality", "vector art", "highly detailed", "cute",
    "digital art", "8k", "minimalist", "colorful", "pleasant", "children's book", "art by someone", "clean lines",
)  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """The words, and which attributes of the scene they name."""

    text: str
    said: frozenset[str]


def caption(scene: Scene, rng: random.Random, *, complete: bool = False, filler: bool = True) -> Caption:
    """The scene in words chosen by `rng`.

    complete: name everything; otherwise every attribute but the kind may be left out.
    filler: now and then add words that mean nothing here ("masterpiece"), so that the network learns to pass over them.
    """
    said = set(ATTRIBUTES)
    if not complete:
        said -= {name for name in ATTRIBUTES if name != "kind" and rng.random() < 0.15}
        if rng.random() < 0.03:
            said.discard("kind")
    if scene.count > 1:
        said -= {"position", "size"}
        said |= {"count"} & said
    if scene.count == 1 or scene.size == "medium":
        said -= {"size"} if scene.size == "medium" else set()
    if scene.position == "centre" and rng.random() < 0.5:
        said -= {"position"}
    text = _sentence(scene, said, rng) if rng.random() < 0.6 else _tags(scene, said, rng)
    if filler and rng.random() < 0.15:
        extra = ", ".join(rng.sample(FILLERS, rng.choice((1, 1, 2))))
        text = f"{text}, {extra}" if rng.random() < 0.6 else f"{extra}, {text}"
    return Caption(text, frozenset(said))


def _thing(scene: Scene, said: set[str], rng: random.Random, *, article: bool) -> str:
    """For instance "a big red house", or "three blue boats"."""
    words = []
    plural = scene.count > 1
    if plural and "count" in said:
        words.append(rng.choice(NUMBERS[scene.count]))
    elif plural and article:
        words.append("some")
    if "size" in said:
        words.append(rng.choice(SIZE_WORDS[scene.size]))
    if "colour" in said:
        words.append(scene.colour)
    words.append((scene.kind if "kind" in said else "thing") + ("s" if plural else ""))
    if not plural and "count" in said and (article or rng.random() < 0.3):
        words.insert(0, rng.choice(("one", "1")) if rng.random() < 0.15 else "an" if words[0][0] in "aeio" else "a")
    return " ".join(words)


def _sentence(scene: Scene, said: set[str], rng: random.Random) -> str:
    phrases = []
    if "ground" in said:
        phrases.append(rng.choice(("on ", "on the ", "above the ")) + scene.ground)
    if "position" in said:
        phrases.append(rng.choice(POSITION_PHRASES[scene.position]))
    if "sky" in said:
        phrases.append(rng.choice(SKY_PHRASES[scene.sky]))
    rng.shuffle(phrases)
    thing = _thing(scene, said, rng, article=True)
    return rng.choice(OPENINGS) + rng.choice((" ", " ", ", ")).join([thing, *phrases])


def _tags(scene: Scene, said: set[str], rng: random.Random) -> str:
    tags = []
    if scene.count == 1 and "size" in said and rng.random() < 0.4:
        tags.append(rng.choice(SIZE_WORDS[scene.size]))
        said = said - {"size"}
    if "ground" in said:
        tags.append(scene.ground)
    if "position" in said:
        tags.append(rng.choice(POSITION_TAGS[scene.position]))
    if "sky" in said:
        tags.append(rng.choice(SKY_TAGS[scene.sky]))
    rng.shuffle(tags)
    thing = _thing(scene, said, rng, article=False)
    tags.insert(0 if rng.random() < 0.8 else rng.randrange(len(tags) + 1), thing)
    return ", ".join(tags)


def asked(scene: Scene, rng: random.Random) -> tuple[str, Scene]:
    """A complete caption without fillers, for the benchmark, and the scene it asks for."""
    return caption(scene, rng, complete=True, filler=False).text, replace(scene)
