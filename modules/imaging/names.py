"""Names of files from patterns such as `[seed]-[prompt_spaces]`, as A1111 expands them. Source: spec/infotext.md §6."""

from __future__ import annotations

import hashlib
import re
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from PIL.Image import Image

FORBIDDEN = '#<>:"/\\|?*\n\r\t' + "".join(map(chr, range(32))) + "\x7f"
PART_LENGTH = 128
_TO_UNDERSCORE = dict.fromkeys(map(ord, FORBIDDEN.replace("#", "")), "_")
# Names that Windows gives to devices, whatever the suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[1-9]|lpt[1-9])(\.|$)", re.IGNORECASE)
_PIECE = re.compile(r"(.*?)\[([^\[\]]+)\]", re.DOTALL)
_TOKEN = re.compile(r"([^<>]*)((?:<[^>]*>)*)")
_ARGUMENT = re.compile(r"<([^>]*)>")
_NOT_LETTERS = re.compile(r"[\s" + re.escape(string.punctuation) + "]+")
_STAMP = "%Y%m%d%H%M%S"


@dataclass(frozen=True)
class Subject:
    """What a pattern can speak of: one picture of a job.

    seeds: of all pictures of the job. number: of this picture among them, from 0. style_texts: the prompts of `styles`.
    scheduler: as it was used, not "Automatic". archive: the name is that of a zip of the whole job.
    """

    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    seeds: tuple[int, ...] = ()
    number: int = 0
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 0
    cfg_scale: float = 0.0
    width: int = 0
    height: int = 0
    styles: tuple[str, ...] = ()
    style_texts: tuple[str, ...] = ()
    sampler: str = ""
    scheduler: str = ""
    model_name: str = ""
    model_hash: str = ""
    vae_filename: str = ""
    clip_skip: int = 1
    denoising_strength: float | None = None
    user: str = ""
    basename: str = ""
    max_words: int = 8
    archive: bool = False
    started: datetime = field(default_factory=datetime.now)
    now: datetime = field(default_factory=datetime.now)
    image: Image | None = None


@dataclass(frozen=True)
class Spelling:
    """Which characters a part of a name may have, and how many. `unix` forbids the slash alone."""

    length: int = PART_LENGTH
    unix: bool = False

    def part(self, text: object, *, underscores: bool = False) -> str:
        """`text` as a part of a name: forbidden characters become `_`, blanks too if `underscores`."""
        cleaned = str(text).replace(" ", "_") if underscores else str(text)
        forbidden = "/\0" if self.unix else FORBIDDEN
        cleaned = cleaned.translate(dict.fromkeys(map(ord, forbidden), "_"))
        return cleaned.lstrip(" ")[: self.length].rstrip(" .")


Token = Callable[[Subject, Spelling, tuple[str, ...]], "str | None"]


def expand(pattern: str, subject: Subject, spelling: Spelling | None = None) -> str:
    """`pattern` with its tokens replaced. A token with nothing to say also takes away the text before it; an unknown
    one stays as it is. Case of token names does not matter. Never raises."""
    spelling = spelling or Spelling()
    result, end = "", 0
    for piece in _PIECE.finditer(pattern):
        end = piece.end()
        before, inner = piece[1], piece[2]
        name, arguments = _TOKEN.match(inner).groups()  # type: ignore[union-attr]
        token = TOKENS.get(name.lower())
        if token is None or len(name) + len(arguments) != len(inner):
            result += f"{before}[{inner}]"
            continue
        said = token(subject, spelling, tuple(_ARGUMENT.findall(arguments)))
        if said is not None:
            result += before + said
    return result + pattern[end:]


def file_name(text: str, limit: int) -> str:
    """`text` as a name in a folder, without a suffix, on any system: nothing forbidden, no device, at most `limit`
    bytes of UTF-8."""
    text = text.translate(_TO_UNDERSCORE)
    if _DEVICES.match(text):
        text = f"_{text}"
    cut = text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore").rstrip(" .")
    return cut.lstrip(".") or "_"


def folder_names(text: str) -> tuple[str, ...]:
    """The folders that an expanded directory pattern names, outermost first; none leads upwards or elsewhere."""
    without_drive = re.sub(r"^\s*[A-Za-z]:(?=[/\\])", "", text)
    parts = (part.strip(" ") for part in re.split(r"[/\\]", without_drive))
    return tuple(file_name(part, 255) for part in parts if part.strip(" ."))


def next_number(names: list[str], basename: str = "") -> int:
    """One more than the largest number that begins a name in a folder (after `basename-`); 0 if there is none."""
    prefix = f"{basename}-" if basename else ""
    highest = -1
    for name in names:
        if name.startswith(prefix):
            number = name[len(prefix) :].split("-", 1)[0].split(".", 1)[0]
            if number.isdecimal() and len(number) < 16:
                highest = max(highest, int(number))
    return highest + 1


def _text_of(attribute: str, *, underscores: bool = False) -> Token:
    return lambda subject, spelling, _: spelling.part(getattr(subject, attribute), underscores=underscores)


def _digest(text: str | bytes, arguments: tuple[str, ...], length: int | None) -> str:
    given = arguments[0] if arguments else ""
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return hashlib.sha256(data).hexdigest()[: int(given) if given.isdecimal() else length]


def _seed_first(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    return str(subject.seeds[0] if subject.batch_size > 1 and subject.seeds else subject.seed)


def _seed_last(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str | None:
    return str(subject.seeds[-1]) if subject.batch_size > 1 and subject.seeds else None


def _styles(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    return spelling.part(", ".join(name for name in subject.styles if name != "None") or "None")


def _scheduler(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    return spelling.part(subject.scheduler.capitalize())


def _sampler_scheduler(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    return spelling.part(f"{subject.sampler} {subject.scheduler.capitalize()}")


def _datetime(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    pattern = arguments[0] if arguments and arguments[0] else _STAMP
    moment = subject.now
    try:
        moment = moment.astimezone(ZoneInfo(arguments[1]) if len(arguments) > 1 else None)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        moment = subject.now
    try:
        written = moment.strftime(pattern)
    except (ValueError, UnicodeError):
        written = moment.strftime(_STAMP)
    return spelling.part(written)


def _prompt_no_styles(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    prompt = subject.prompt
    for style in subject.style_texts:
        for part in filter(None, style.split("{prompt}")):
            prompt = prompt.replace(part, "").replace(", ,", ",").strip().strip(",").strip()
    return spelling.part(prompt)


def _prompt_words(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    words = [word for word in _NOT_LETTERS.split(subject.prompt) if word] or ["empty"]
    return spelling.part(" ".join(words[: subject.max_words]))


def _has_prompt(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str:
    lower, said = subject.prompt.lower(), ""
    for argument in filter(None, arguments):
        wanted, _, otherwise = argument.partition("|")
        said += wanted.lower() if wanted.lower() in lower else otherwise.split("|")[0]
    return spelling.part(said, underscores=True)


def _batch_number(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str | None:
    return None if subject.batch_size == 1 or subject.archive else str(subject.number % subject.batch_size + 1)


def _generation_number(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str | None:
    single = subject.batch_size == 1 and subject.n_iter == 1
    return None if single or subject.archive else str(subject.number + 1)


def _image_hash(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str | None:
    return _digest(subject.image.tobytes(), arguments, None) if subject.image is not None else None


def _denoising(subject: Subject, spelling: Spelling, arguments: tuple[str, ...]) -> str | None:
    return str(subject.denoising_strength) if subject.denoising_strength else None


TOKENS: dict[str, Token] = {
    "basename": lambda subject, spelling, _: spelling.part(subject.basename or "img"),
    "batch_number": _batch_number,
    "batch_size": _text_of("batch_size"),
    "cfg": _text_of("cfg_scale"),
    "clip_skip": _text_of("clip_skip"),
    "date": lambda subject, *_: subject.now.strftime("%Y-%m-%d"),
    "datetime": _datetime,
    "denoising": _denoising,
    "full_prompt_hash": lambda subject, _, args: _digest(f"{subject.prompt} {subject.negative_prompt}", args, 8),
    "generation_number": _generation_number,
    "hasprompt": _has_prompt,
    "height": _text_of("height"),
    "image_hash": _image_hash,
    "job_timestamp": lambda subject, *_: subject.started.strftime(_STAMP),
    "model_hash": _text_of("model_hash"),
    "model_name": _text_of("model_name"),
    "negative_prompt_hash": lambda subject, _, args: _digest(subject.negative_prompt, args, 8),
    "none": lambda *_: "",
    "prompt": _text_of("prompt", underscores=True),
    "prompt_hash": lambda subject, _, args: _digest(subject.prompt, args, 8),
    "prompt_no_styles": _prompt_no_styles,
    "prompt_spaces": _text_of("prompt"),
    "prompt_words": _prompt_words,
    "sampler": _text_of("sampler"),
    "sampler_scheduler": _sampler_scheduler,
    "scheduler": _scheduler,
    "seed": lambda subject, *_: "" if subject.seed is None else str(subject.seed),
    "seed_first": _seed_first,
    "seed_last": _seed_last,
    "steps": _text_of("steps"),
    "styles": _styles,
    "user": _text_of("user"),
    "vae_filename": lambda subject, spelling, _: spelling.part(subject.vae_filename or "NoneType"),
    "width": _text_of("width"),
}
