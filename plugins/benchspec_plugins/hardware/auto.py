"""The machine that benchspec runs on, as its drivers and the makers' data sheets describe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchspec import Facts, Hardware, Plugin, hookimpl
from benchspec_plugins.hardware.accelerators import PRICE, datasheet, fact, facts_by_precision, price

if TYPE_CHECKING:
    from benchspec.machine import Accelerator


class Auto(Hardware):
    """This machine: the accelerators that this process may use, and their dense peaks where known.

    If the accelerators differ, only those with the name of the first one count.
    """

    name = "auto"
    options_schema = {"properties": PRICE}

    def facts(self) -> Facts:
        from benchspec.machine import accelerators

        found = accelerators()
        if not found:
            return Facts(accelerator=None, accelerators=0, **price(self.options))
        return _facts(found, self.options)


def _facts(found: list[Accelerator], options: Mapping[str, Any]) -> Facts:
    first = found[0]
    # A MIG slice has only a share of the peak and the bandwidths, which no data sheet states.
    sheet = None if first.mig else datasheet(first.name)
    return Facts(
        accelerator=first.name,
        accelerators=sum(each.name == first.name for each in found),
        memory=fact(first.memory, _driver_source(found)),
        peak=facts_by_precision(sheet.peak(), sheet.source) if sheet else {},
        memory_bandwidth=fact(sheet.memory_bandwidth, sheet.source) if sheet else None,
        link_bandwidth=fact(sheet.link_bandwidth, sheet.source) if sheet else None,
        **price(options),
    )


def _driver_source(found: list[Accelerator]) -> str:
    """The source of the memory size, which also names the accelerators that are not counted."""
    others = sorted({each.name for each in found} - {found[0].name})
    return f"the driver, of {found[0].name}; not counted: {', '.join(others)}" if others else "the driver"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Auto]
