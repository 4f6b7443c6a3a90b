"""Durations, sizes and shares with units: `15 min`, `6h`, `80 GiB`, `2%`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal

from benchspec.terms.harmless import clipped

#: seconds per unit
DURATIONS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
#: bytes per unit; decimal and binary prefixes as the IEC defines them
SIZES = {"B": 1} | {
    f"{prefix}{suffix}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for suffix, base in (("B", 1000), ("iB", 1024))
}

#: in the base unit
LARGEST = 1e300
#: a share of a whole
SHARES = {"%": 0.01}

_QUANTITY = re.compile(r"\s*([0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)\s*([A-Za-z]+|%)\s*")


def quantity(text: str, units: dict[str, float] | dict[str, int]) -> float:
    """The value of a number with a unit, in the base unit; raises `ValueError` that lists the units."""
    match = _QUANTITY.fullmatch(text)
    known = {unit.lower(): factor for unit, factor in units.items()}
    if match is None or match[2].lower() not in known:
        found = f"'{clipped(text)}'"
        raise ValueError(f"{found} is not a number with a unit such as '{example(units)}' (units: {', '.join(units)})")
    # As floats, 70 * 0.01 is not 0.7, and 4.35 * 3600 not 15660.
    value = float(Decimal(match[1]) * Decimal(str(known[match[2].lower()]))) if float(match[1]) < LARGEST else math.inf
    if value >= LARGEST:
        raise ValueError(f"'{clipped(text)}' is too large for a number")
    return int(value) if value.is_integer() else value


def example(units: Mapping[str, float]) -> str:
    """A number with one of these units, for messages."""
    return "15 min" if units is DURATIONS else "2%" if units is SHARES else "80 GiB"


def plain(value: object) -> object:
    """A text that is a number with a unit as that number, in the base unit; anything else as it is."""
    if not isinstance(value, str) or not value[:1].isdigit():
        return value
    for units in (DURATIONS, SIZES, SHARES):
        try:
            return quantity(value, units)
        except ValueError:
            continue
    return value


def duration_text(seconds: float) -> str:
    """Seconds as readable text: `0.42 s`, `12.3 s`, `15 min 3 s`, `2 h 5 min`, `1 d 3 h`."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(index for index, (amount, _) in enumerate(parts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount)


def size_text(size: float) -> str:
    """Bytes as readable text: `618 MiB`, `106 GiB`, `1.95 TiB`."""
    power = min(4, max(0, (int(size).bit_length() - 1) // 10))
    return f"{size / 1024**power:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def count_text(count: float) -> str:
    """A large number as readable text: `331 M`, `6.66 G`, `0.12 M`."""
    return f"{count / 1e9:.3g} G" if count >= 0.9995e9 else f"{count / 1e6:.3g} M"
