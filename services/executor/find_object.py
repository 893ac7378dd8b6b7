"""Look an object up in a mirror without starting git: the claim of a job waits for this answer.

Reads pack indexes, version 2 (gitformat-pack(5)). A fetch puts an index in place, last and by rename, once
its pack is complete; so an id that is in an index is there with all that its pack brought.
"""

import mmap
import os
from pathlib import Path

_MAGIC = b"\xfftOc\x00\x00\x00\x02"
_FANOUT_START = 8
_NAMES_START = _FANOUT_START + 256 * 4


def has_object(repository: Path, object_id: str) -> bool:
    """Whether the bare ``repository`` holds ``object_id`` (hexadecimal), packed or loose.

    Damaged indexes count as empty.
    """
    objects = repository / "objects"
    if (objects / object_id[:2] / object_id[2:]).exists():
        return True
    wanted = bytes.fromhex(object_id)
    try:
        with os.scandir(objects / "pack") as entries:
            indexes = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(".idx")]
    except OSError:
        return False
    # The commit of a new run is most likely in the newest pack.
    return any(_index_has(Path(path), wanted) for _, path in sorted(indexes, reverse=True))


def _index_has(path: Path, wanted: bytes) -> bool:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as index:
            if index[:_FANOUT_START] != _MAGIC:
                return False
            # Names are sorted; the fanout counts those whose first byte is at most its place in the table.
            low = _read_count(index, wanted[0] - 1) if wanted[0] else 0
            high = _read_count(index, wanted[0])
            size = len(wanted)
            while low < high:
                middle = (low + high) // 2
                start = _NAMES_START + middle * size
                name = index[start : start + size]
                if name == wanted:
                    return True
                if name < wanted:
                    low = middle + 1
                else:
                    high = middle
    except (OSError, ValueError):  # vanished in a repack, empty, or cut short
        return False
    return False


def _read_count(index: mmap.mmap, place: int) -> int:
    start = _FANOUT_START + place * 4
    return int.from_bytes(index[start : start + 4], "big")
