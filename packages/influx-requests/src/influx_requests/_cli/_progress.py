"""How far a file was written, remembered beside it: `FILE.influx-progress`.

What is remembered belongs to one file, by its size, its beginning and its end, and to one database of one server. It is
replaced as a whole, so there is always one that is whole. It never says more than what is stored.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ._console import CommandError, Exit, say
from ._sources import BEGIN, Position

#: Bytes of the beginning and of the end that tell a file from others.
_LOOKED_AT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a file was written."""

    position: Position = BEGIN
    #: Lines of it that were stored, and that the server rejected.
    stored: int = 0
    rejected: int = 0


class ProgressFile:
    """Remembers how far a file was written.

    Args:
        path: the file that is written.
        target: where it goes: server, database, retention policy.
        how: what else decides about the lines that are made of it.
    """

    def __init__(self, path: Path, target: list[str | None], how: dict[str, Any]) -> None:
        self.path = path.with_name(f"{path.name}.influx-progress")
        self._file = path
        # As it is read back.
        self._about = json.loads(json.dumps({"file": identity(path), "to": target, "how": how}))
        self._is_usable = True

    def load(self) -> Reached:
        """Give how far an earlier run came; nowhere if there was none.

        Raises:
            CommandError: what is remembered is about another file, or another database.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Reached()
        except OSError as error:
            msg = f"cannot read {self.path}: {error.strerror}"
            raise CommandError(msg, Exit.USAGE) from error
        try:
            found = json.loads(text)
            about = {key: found[key] for key in self._about}
            offset, lines, stored, rejected = (int(found[key]) for key in ("offset", "lines", "stored", "rejected"))
        except (ValueError, TypeError, KeyError) as error:
            msg = f"{self.path} is damaged; without --resume the file is written from its beginning"
            raise CommandError(msg) from error
        if about["file"] != self._about["file"]:
            what = f"{self._file} is not the file that it was"
        elif about["to"] != self._about["to"]:
            what = f"{self._file} was being written to {' '.join(filter(None, about['to']))}"
        elif about["how"] != self._about["how"]:
            what = f"{self._file} was being written with other options ({about['how']})"
        else:
            return Reached(Position(offset, lines), stored, rejected)
        msg = f"cannot resume: {what}; without --resume it is written from its beginning"
        raise CommandError(msg)

    def save(self, reached: Reached) -> None:
        """Remember; where that is not possible, say so once and go on."""
        if not self._is_usable:
            return
        new = self.path.with_name(f"{self.path.name}.new")
        offset, lines = reached.position
        values = {"offset": offset, "lines": lines, "stored": reached.stored, "rejected": reached.rejected}
        try:
            new.write_text(json.dumps({**self._about, **values}) + "\n", encoding="utf-8")
            new.replace(self.path)
        except OSError as error:
            self._is_usable = False
            say(f"warning: cannot write {self.path} ({error.strerror}): --resume will not know how far this comes")

    def remove(self) -> None:
        """Forget."""
        if self._is_usable:
            self.path.unlink(missing_ok=True)

    @property
    def exists(self) -> bool:
        """Whether something is remembered."""
        return self.path.exists()


def identity(path: Path) -> dict[str, Any]:
    """Give what tells a file from others."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_LOOKED_AT))
        file.seek(max(0, size - _LOOKED_AT))
        digest.update(file.read(_LOOKED_AT))
    return {"bytes": size, "sha256": digest.hexdigest()}
