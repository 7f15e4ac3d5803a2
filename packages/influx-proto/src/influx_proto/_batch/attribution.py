"""Assignment of rejected lines to the receipts of their writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from .._encode.batch import Batch
from .._errors import RejectedLine
from .receipt import OpenReceipt

#: A receipt, and its number of lines and of bytes in a batch.
Part: TypeAlias = tuple[OpenReceipt, int, int]


def attribute(
    batch: Batch, parts: Sequence[Part], rejected: Sequence[RejectedLine]
) -> Iterator[tuple[OpenReceipt, RejectedLine]]:
    """Yield each rejected line with the receipt of its `write`.

    Args:
        batch: the batch with the lines.
        parts: the receipts of its lines, in order.
        rejected: the lines that the server rejected.
    """
    if not rejected:
        return
    remaining: dict[str, list[RejectedLine]] = {}
    for line in rejected:
        remaining.setdefault(line.line, []).append(line)
    following = iter(parts)
    receipt, _, end = next(following)
    for begin, encoded in batch.placed():
        while begin >= end:
            receipt, _, size = next(following)
            end += size
        if same := remaining.get(encoded.decode(errors="replace")):
            yield receipt, same.pop(0)
    for line in (line for same in remaining.values() for line in same):  # fragments of an incomplete line
        yield _receipt_at(parts, max(batch.data.find(line.line.encode()), 0)), line


def _receipt_at(parts: Sequence[Part], at: int) -> OpenReceipt:
    """Return the receipt of the `write` that the byte at an index belongs to."""
    for receipt, _, size in parts:
        if at < size:
            return receipt
        at -= size
    return parts[-1][0]
