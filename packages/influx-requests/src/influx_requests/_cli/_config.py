"""Configuration file: connection settings, and profiles with such settings."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ._console import CommandError, Exit, file_error, print_stderr

#: Settings of the file and of a profile, with their types.
_SETTINGS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "url": str,
    "database": str,
    "username": str,
    "password": str,
    "token": str,
    "ca": str,
    "insecure": bool,
    "timeout": (int, float),
}
_SECRETS: Final = {"password", "token"}


def home_path() -> Path:
    """Return the user's home directory, or `/` for a user without an account, as in a container."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def config_path() -> Path:
    """Return the path of the configuration file: `INFLUXQ_CONFIG`, or in the directory of the operating system."""
    if given := os.environ.get("INFLUXQ_CONFIG"):
        return Path(given)
    if sys.platform == "win32":
        folder = Path(os.environ.get("APPDATA") or home_path() / "AppData" / "Roaming")
    else:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or home_path() / ".config")
    return folder / "influxq.toml"


def load_config(profile: str | None) -> dict[str, Any]:
    """Return the settings of a profile, or those outside of profiles.

    Args:
        profile: the name of the profile; None for the settings outside of profiles.

    Raises:
        CommandError: the file is malformed, or has no such profile.
    """
    path = config_path()
    is_optional = profile is None and "INFLUXQ_CONFIG" not in os.environ
    try:
        config = _read(path)
    except FileNotFoundError:
        if is_optional:
            return {}
        option = "INFLUXQ_CONFIG" if profile is None else f"--profile {profile}"
        raise CommandError(f"{option}: {path} does not exist; create it with the settings", Exit.USAGE) from None
    except OSError as error:
        if not is_optional:
            raise file_error(f"cannot read {path}", error) from error
        if os.access(path.parent, os.X_OK):  # not the directory of another user, as after `sudo`
            print_stderr(f"warning: cannot read {path}, so its settings are not used: {error.strerror}")
        return {}
    profiles = config.pop("profiles", {})
    if not isinstance(profiles, dict):
        raise CommandError(f"{path}: profiles must be tables, such as [profiles.production]", Exit.USAGE)
    if profile is None:
        settings, place = config, str(path)
    elif profile in profiles and isinstance(profiles[profile], dict):
        settings, place = profiles[profile], f"{path}: profile {profile!r}"
    else:
        known = ", ".join(profiles) or "none"
        raise CommandError(f"--profile {profile}: not found in {path}; the profiles are: {known}", Exit.USAGE)
    _check(settings, place)
    if settings.keys() & _SECRETS or "@" in settings.get("url", ""):
        _check_permissions(path)
    return settings


def _read(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    import tomllib  # noqa: PLC0415 - few users have a configuration file

    from ._files import decode  # noqa: PLC0415 - as above

    try:
        return tomllib.loads(decode(data, str(path)))
    except ValueError as error:
        raise CommandError(f"{path}: {error}", Exit.USAGE) from error


def _check(settings: Mapping[str, Any], place: str) -> None:
    for name, value in settings.items():
        kind = _SETTINGS.get(name)
        if kind is None:
            msg = f"{place}: unknown setting {name!r}; the settings are {', '.join(_SETTINGS)}"
            raise CommandError(msg, Exit.USAGE)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            expected = {str: "string", bool: "boolean"}.get(kind, "number") if isinstance(kind, type) else "number"
            got = f"a value of type {type(value).__name__}" if name in _SECRETS else repr(value)
            raise CommandError(f"{place}: {name} must be a {expected}, got {got}", Exit.USAGE)


def _check_permissions(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        print_stderr(f"warning: {path} has a password and can be read by other users; run: chmod 600 {path}")
