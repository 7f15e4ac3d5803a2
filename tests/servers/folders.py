"""Temporary folders for the data of servers: in memory where possible."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")
_ENOUGH = 2**30  # bytes; containers often get only 64 MiB, which the data of the tests would fill


def make_data_folder(prefix: str) -> Path:
    """Create a folder in /dev/shm, or in the system's temporary folder if /dev/shm is missing, small or read-only."""
    parent = None
    if _SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK | os.X_OK):
        parent = _SHARED_MEMORY if shutil.disk_usage(_SHARED_MEMORY).free >= _ENOUGH else None
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
