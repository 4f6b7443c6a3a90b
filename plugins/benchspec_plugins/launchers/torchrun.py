"""Processes on this host, started by `torchrun`."""

from __future__ import annotations

from pathlib import Path

from benchspec import Handle, Launcher, hookimpl


class Torchrun(Launcher):
    """Processes on this host, started by `torchrun`."""

    name = "torchrun"
    options_schema = {
        "properties": {
            "processes": {
                "description": "a number, or auto: one per accelerator, or 1",
                "type": ["integer", "string"],
                "minimum": 1,
                "pattern": "^auto$",
                "default": "auto",
            }
        }
    }

    def start(self, case_dir: Path) -> Handle:
        from benchspec_plugins.launchers import group

        return group.start(case_dir, self.options["processes"])

    def attach(self, id: str) -> Handle:
        from benchspec_plugins.launchers import group

        return group.attach(id)


@hookimpl
def benchspec_register() -> list[type[Torchrun]]:
    return [Torchrun]
