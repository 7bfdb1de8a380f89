"""Reading protocol buffers that a stranger wrote: fields in order, nothing copied, every length checked."""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MOST = 1 << 64


class MalformedError(ValueError):
    """Bytes that are no message."""


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field: an int for numbers (unsigned), a view for strings, messages and packed lists."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise MalformedError("a field without a number")
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise MalformedError("a field of an unknown kind")
        if size > len(data) - at:
            raise MalformedError("a field that is longer than the file")
        part = data[at : at + size]
        yield number, part if kind == BYTES else int.from_bytes(part, "little")
        at += size


def numbers(value: int | memoryview) -> list[int]:
    """The numbers of a repeated field, packed or one by one."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(number)
    return found


def text(value: int | memoryview, most_bytes: int = 256) -> str:
    """A string field."""
    if isinstance(value, int) or len(value) > most_bytes:
        raise MalformedError("a name that is none, or very long")
    return bytes(value).decode("utf-8")  # UnicodeDecodeError is a ValueError, too


def message(value: int | memoryview) -> memoryview:
    """A field that holds a message or bytes."""
    if isinstance(value, int):
        raise MalformedError("a number where a message should be")
    return value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= _MOST:
                break
            return value, at
        shift += 7
    raise MalformedError("a number that does not end")
