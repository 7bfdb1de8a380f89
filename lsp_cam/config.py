"""The user's run settings: `config.toml`, overridden by options of the command line.

subject = "may"
camera = "preview"
fps = 25
size = "1280x720"
fill = "#203040"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .errors import UsageError
from .folders import config_file
from .packets import MOTION_FPS

MIN_SIDE_PX = 64
MAX_SIDE_PX = 4096
BLUR = "blur"
COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (96, 96, 96),
    "green": (0, 177, 64),
    "blue": (0, 71, 187),
}
"""Named fills, RGB; green and blue are those of studio screens, which other programs can cut out."""
COLOUR_PATTERN = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
SIZE_PATTERN = re.compile(r"([0-9]{1,5})(?:\s*[xX×]\s*([0-9]{1,5}))?")


def parse_size(value: str) -> tuple[int, int]:
    """Width and height in pixels from `1280x720`, or from `720` (a square); both even, as video needs them."""
    match = SIZE_PATTERN.fullmatch(value.strip())
    if not match:
        raise UsageError(f"'{value}' is no size. Write it as 1280x720, or 720 for a square.")
    width, height = int(match[1]), int(match[2] or match[1])
    if not all(MIN_SIDE_PX <= side <= MAX_SIDE_PX for side in (width, height)):
        raise UsageError(f"The size {value} is out of range: each side may be {MIN_SIDE_PX} to {MAX_SIDE_PX} pixels.")
    if width % 2 or height % 2:
        raise UsageError(f"The size {value} is odd: video needs an even number of pixels both ways.")
    return width, height


def colour_of(fill: str) -> tuple[int, int, int] | None:
    """The colour (R, G, B) that `fill` names, as `grey`, `#345` or `#334455`; None if it names none."""
    match = COLOUR_PATTERN.fullmatch(fill)
    if not match:
        return COLOURS.get(fill)
    digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue


def _size(value: str) -> str:
    parse_size(value)
    return value


class RunSettings(BaseModel):
    """How to run; the meanings are those of the options of `lsp-cam start`. None leaves the choice to the program."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    subject: str | None = None
    mic: str = "auto"
    camera: str = "auto"
    mic_out: Literal["auto", "on", "none"] = "auto"
    fps: Annotated[int, Field(ge=1, le=MOTION_FPS)] = 30
    size: Annotated[str, AfterValidator(_size)] | None = None
    fill: Annotated[str, Field(min_length=1)] = BLUR
    camera_format: Literal["auto", "i420", "nv12", "yuy2"] = "auto"
    mirror: bool = False
    engine: str | None = None
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    badge: bool = False
    port: Annotated[int, Field(ge=0, le=65535)] = 0

    @property
    def size_px(self) -> tuple[int, int] | None:
        """Width and height of the picture; None: the subject's own."""
        return parse_size(self.size) if self.size else None

    def override(self, options: Mapping[str, Any]) -> RunSettings:
        """These settings, with the options that are not None in place of their own."""
        given = {key: value for key, value in options.items() if value is not None}
        return _checked({**self.model_dump(), **given}, "the options", "--")


def load(path: Path | None = None) -> RunSettings:
    """The settings in `path` (by default the user's file); the defaults where there is none."""
    path = path or config_file()
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except FileNotFoundError:
        return RunSettings()
    except OSError as error:
        raise UsageError(f"The settings {path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:  # not TOML, or not even UTF-8
        raise UsageError(f"The settings {path} are not TOML ({error}). Correct or delete the file.") from None
    return _checked(raw, f"the settings {path}", "")


def _checked(raw: dict[str, Any], where: str, dashes: str) -> RunSettings:
    try:
        return RunSettings.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    key = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        near = get_close_matches(key, RunSettings.model_fields, 1)
        known = f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(RunSettings.model_fields)}."
        raise UsageError(f"In {where}: there is no '{dashes}{key}'. {known}") from None
    raise UsageError(f"In {where}: {dashes}{key} = {first['input']!r} will not do: {first['msg']}.") from None
