"""Processes on this host, started by `torchrun`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchspec import Facts, Handle, Launcher, hookimpl


class Torchrun(Launcher):
    """Processes on this host, started by `torchrun`."""

    name = "torchrun"
    options_schema = {
        "properties": {
            "processes": {
                "description": "a number, or auto: one process per accelerator, or as many as the backend needs",
                "type": ["integer", "string"],
                "minimum": 1,
                "pattern": "^auto$",
                "default": "auto",
            }
        }
    }

    def settle(self, facts: Facts, only: int | None) -> Mapping[str, Any]:
        if self.options["processes"] != "auto":
            return self.options
        return {**self.options, "processes": only or facts.accelerators or 1}

    def start(self, case_dir: Path) -> Handle:
        from benchspec_plugins.launchers import group

        return group.start(case_dir, self.options["processes"])

    def deaths(self, case_dir: Path) -> Mapping[int, int]:
        from benchspec_plugins.launchers import group

        return group.deaths(case_dir)

    def attach(self, id: str) -> Handle:
        from benchspec_plugins.launchers import group

        return group.Left(id)


@hookimpl
def benchspec_register() -> list[type[Torchrun]]:
    return [Torchrun]
