"""Inference settings of the authors' release: their YAML files, and those of the five released subjects, built in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import SubjectError
from .models.render import Published

MOUTH_LOOK_AHEAD_FRAMES = 18
HEAD_LOOK_AHEAD_FRAMES = 15
MAX_YAML_BYTES = 1 << 20

Factor = Annotated[float, Field(ge=-10, le=10)]
Sigma = Annotated[float, Field(ge=0, le=60)]
# How many factors each way of amplifying the mouth takes; its last, 'CloseSmall', is not among them.
_AMPLIFICATIONS = {"XY": 2, "XYZ": 3, "delta": 2, "LowerMore": 6}


class ReleaseSettings(BaseModel):
    """What the YAML of a released subject says; sigmas in frames."""

    model_config = ConfigDict(frozen=True)
    neighbours: Annotated[int, Field(ge=1, le=256)] = 10
    blend: Annotated[float, Field(ge=0, le=1)] = 1.0
    residual_speech: bool = False
    mouth_smooth: Sigma
    mouth_amplify: tuple[str, tuple[Factor, ...]]
    sigma_scale: Annotated[float, Field(ge=0, le=4)] = 0.3
    head_smooth: tuple[Sigma, Sigma]
    head_amplify: tuple[Factor, Factor]
    shoulder_amplify: Factor = 0.5
    generator: Literal["normal", "large"]

    def mouth_factors(self) -> dict[str, Any]:
        """The amplification as settings of the `shape` stage."""
        method, factors = self.mouth_amplify
        if method == "delta":  # its second factor is not used by the published code either
            return {"amplify_change": factors[0]}
        if method == "LowerMore":
            return {"amplify_upper": factors[:3], "amplify_lower": factors[3:]}
        xyz = factors if method == "XYZ" else (*factors, 1.0)
        return {"amplify_upper": xyz, "amplify_lower": xyz}


def _released(
    mouth_smooth: float, mouth: float, smooth: tuple[float, float], amplify: tuple[float, float], generator: Published
) -> ReleaseSettings:
    return ReleaseSettings(
        mouth_smooth=mouth_smooth,
        mouth_amplify=("XYZ", (mouth, mouth, mouth)),
        head_smooth=smooth,
        head_amplify=amplify,
        generator=generator,
    )


RELEASED = {
    "May": _released(1.5, 2.0, (5, 10), (1.0, 0.5), "large"),
    "McStay": _released(2.0, 1.5, (5, 10), (1.0, 1.0), "normal"),
    "Nadella": _released(2.0, 1.5, (5, 10), (0.5, 0.5), "normal"),
    "Obama1": _released(1.0, 1.5, (2, 8), (1.0, 1.0), "normal"),
    "Obama2": _released(2.0, 1.5, (3, 10), (1.0, 1.0), "normal"),
}


def release_settings(folder: Path, path: Path | None = None) -> ReleaseSettings:
    """Settings of the release in `folder`: from the YAML at `path`, or else `<folder's name>.yaml` inside or beside
    it, or else the built-in ones of the subject of that name. Raises SubjectError."""
    name = folder.resolve().name
    found = [p for p in (folder / f"{name}.yaml", folder.resolve().parent / f"{name}.yaml") if p.is_file()]
    if path is not None or found:
        return read_settings(path or found[0])
    for known, settings in RELEASED.items():
        if known.lower() == name.lower():
            return settings
    raise SubjectError(
        f"There are no settings for '{name}'. Give the subject's YAML with --settings; only those of "
        f"{', '.join(RELEASED)} are built in, for folders of these names."
    )


def read_settings(path: Path) -> ReleaseSettings:
    """Settings from a YAML file in the layout of the authors' `config/`. Raises SubjectError."""
    try:
        if path.stat().st_size > MAX_YAML_BYTES:
            raise SubjectError(f"{path} is too large for settings. Give the subject's YAML.")
        raw = yaml.safe_load(path.read_text("utf-8"))
        return ReleaseSettings.model_validate(_flat(raw, path))
    except OSError as error:
        raise SubjectError(
            f"{path} cannot be read: {error.strerror}. Give the subject's YAML with --settings."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise SubjectError(f"{path} is no YAML. Give the subject's own from the authors' config folder.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise SubjectError(f"{path}: {place}: {first['msg']}. Correct it after the authors' config folder.") from None


def _flat(raw: Any, path: Path) -> dict[str, Any]:
    """The values that are used, under our names."""
    try:
        parts = raw["model_params"]
        speech, mouth, head = parts["APC"], parts["Audio2Mouth"], parts["Headpose"]
        method, *factors = mouth["AMP"]
        out = {
            "neighbours": speech["Knear"],
            "blend": speech["LLE_percent"] if speech["use_LLE"] else 0.0,
            "residual_speech": speech.get("residual", False),
            "mouth_smooth": mouth["smooth"],
            "mouth_amplify": (method, tuple(factors)),
            "sigma_scale": head.get("sigma", 0.3),
            "head_smooth": tuple(head["smooth"]),
            "head_amplify": tuple(head["AMP"]),
            "shoulder_amplify": head["shoulder_AMP"],
            "generator": parts["Image2Image"]["size"],
        }
    except KeyError as error:
        raise SubjectError(f"{path} lacks {error}. Correct it after the authors' config folder.") from None
    except (TypeError, ValueError, AttributeError):
        raise SubjectError(f"{path} is not laid out like the authors' config folder.") from None
    if _AMPLIFICATIONS.get(method) != len(factors):
        known = ", ".join(f"{name} with {count}" for name, count in _AMPLIFICATIONS.items())
        raise SubjectError(
            f"{path}: the mouth cannot be amplified by '{method}' with {len(factors)} factors; there is {known}. "
            "(CloseSmall changes the whole clip after each closed frame, which no stream can do.)"
        )
    return out
