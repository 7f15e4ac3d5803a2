"""Progress of writing a file, saved as `FILE.influx-progress`.

Saved progress is valid for one file, identified by its size, its start and its end, and for one database of one server.
The progress file is replaced atomically, and it never counts lines that are not stored or rejected yet.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ._console import CommandError, file_error, print_stderr
from ._sources import START, Position

#: Bytes of the start and of the end that identify a file.
_SAMPLE_SIZE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """Position up to which a file is written."""

    position: Position = START
    #: Number of lines stored, and of lines rejected by the server.
    stored: int = 0
    rejected: int = 0


class ProgressFile:
    """Saved progress of writing a file.

    Args:
        path: the file that is written.
        target: the server, the database and the retention policy.
        options: the other options that determine the lines.
    """

    def __init__(self, path: Path, target: list[str | None], options: dict[str, Any]) -> None:
        self.path = path.with_name(f"{path.name}.influx-progress")
        self._file = path
        # In the form that `load` reads, so that the two compare equal.
        self._metadata = json.loads(json.dumps({"file": fingerprint(path), "to": target, "how": options}))
        self._is_usable = True

    def load(self) -> Progress:
        """Return the progress of an earlier run, or none if there was no such run.

        Raises:
            CommandError: the saved progress is of another file, another database or other options.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Progress()
        except OSError as error:
            raise file_error(f"cannot read {self.path}", error) from error
        try:
            saved = json.loads(text)
            metadata = {key: saved[key] for key in self._metadata}
            offset, lines, stored, rejected = (int(saved[key]) for key in ("offset", "lines", "stored", "rejected"))
        except (ValueError, TypeError, KeyError) as error:
            raise CommandError(f"{self.path} is malformed; omit --resume to write the file from its start") from error
        if metadata["file"] != self._metadata["file"]:
            reason = f"{self._file} has changed"
        elif metadata["to"] != self._metadata["to"]:
            reason = f"{self._file} was being written to {' '.join(filter(None, metadata['to']))}"
        elif metadata["how"] != self._metadata["how"]:
            reason = f"{self._file} was being written with other options ({metadata['how']})"
        else:
            return Progress(Position(offset, lines), stored, rejected)
        raise CommandError(f"cannot resume: {reason}; omit --resume to write it from its start")

    def save(self, progress: Progress) -> None:
        """Save the progress; if the file cannot be written, print one warning and continue."""
        if not self._is_usable:
            return
        new = self.path.with_name(f"{self.path.name}.new")
        offset, lines = progress.position
        values = {"offset": offset, "lines": lines, "stored": progress.stored, "rejected": progress.rejected}
        try:
            new.write_text(json.dumps({**self._metadata, **values}) + "\n", encoding="utf-8")
            new.replace(self.path)
        except OSError as error:
            self._is_usable = False
            print_stderr(f"warning: cannot write {self.path} ({error.strerror}); --resume will not be possible")

    def remove(self) -> None:
        """Delete the progress file."""
        if self._is_usable:
            self.path.unlink(missing_ok=True)

    @property
    def exists(self) -> bool:
        """Whether there is a progress file."""
        return self.path.exists()


def fingerprint(path: Path) -> dict[str, Any]:
    """Return the size of a file and a hash of its start and end."""
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        digest.update(file.read(_SAMPLE_SIZE))
        file.seek(max(0, size - _SAMPLE_SIZE))
        digest.update(file.read(_SAMPLE_SIZE))
    return {"bytes": size, "sha256": digest.hexdigest()}
