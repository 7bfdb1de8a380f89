"""Which folders are the program's own. `LSP_CAM_HOME` puts all of them under one roof."""

from __future__ import annotations

import os
import sys
from pathlib import Path

APP = "lsp-cam"
HOME_VARIABLE = "LSP_CAM_HOME"


def checkout() -> Path | None:
    """The source checkout that this package runs from, if it does."""
    root = Path(__file__).resolve().parent.parent
    return root if (root / "subjects").is_dir() and (root / "pyproject.toml").is_file() else None


def install_command(extra: str = "") -> str:
    """The command that installs this package for the running Python, with an optional part of it."""
    root, part = checkout(), f"[{extra}]" if extra else ""
    what = f"-e '{root}{part}'" if root else f"'{APP}{part}'"
    return f"{sys.executable} -m pip install {what}"


def home() -> Path:
    """Where subjects and engines live: `LSP_CAM_HOME`, else a writable checkout, else the user's data folder."""
    if given := _given():
        return given
    root = checkout()
    if root and os.access(root / "subjects", os.W_OK):
        return root
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)


def config_file() -> Path:
    """The user's run settings; it need not exist."""
    if given := _given():
        return given / "config.toml"
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / "config.toml"


def state_folder() -> Path:
    """Where logs and what is known of a running daemon go; it need not exist."""
    if given := _given():
        return given / "state"
    from platformdirs import user_state_path

    return user_state_path(APP, appauthor=False)


def _given() -> Path | None:
    value = os.environ.get(HOME_VARIABLE, "")
    return Path(value).expanduser().absolute() if value else None
