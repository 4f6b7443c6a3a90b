"""Processes on one host or several, started by `torchrun`."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchspec import Facts, Handle, Launcher, PluginError, hookimpl


class Torchrun(Launcher):
    """Processes on this host, and on others if `nodes` or `hosts` say so, started by `torchrun`.

    With `hosts`, benchspec starts the others over ssh, which must need no password; without, it prints the command to
    run on each of them for each case. All hosts see the run directory, and have the same Python at the same path.
    """

    name = "torchrun"
    options_schema = {
        "properties": {
            "processes": {
                "description": "a number, or auto: one process per accelerator, or as many as the backend needs; over "
                "all hosts",
                "type": ["integer", "string"],
                "minimum": 1,
                "maximum": 65536,
                "pattern": "^auto$",
                "default": "auto",
            },
            "nodes": {
                "description": "hosts, this one included; null: 1 and those in `hosts`",
                "type": ["integer", "null"],
                "minimum": 1,
                "maximum": 65536,
                "default": None,
            },
            "hosts": {
                "description": "the other hosts, as ssh calls them: a name or USER@NAME",
                "type": ["array", "null"],
                # Nothing that ssh would take for an option.
                "items": {
                    "type": "string",
                    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.@:-]*$(?!\n)",
                    "description": "a host as ssh calls it: a name or USER@NAME",
                },
                "minItems": 1,
                "uniqueItems": True,
                "default": None,
            },
            "address": {
                "description": "the name or address by which other hosts reach this one; null: its host name",
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.:-]*$(?!\n)",
                "default": None,
            },
            "port": {
                "description": "the port on this host at which processes of several hosts meet",
                "type": "integer",
                "minimum": 1024,
                "maximum": 65535,
                "default": 29500,
            },
            "interface": {
                "description": "the network interface between hosts, such as eth0 or ib0; null: gloo and NCCL choose",
                "type": ["string", "null"],
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.,-]*$(?!\n)",
                "default": None,
            },
            "warm": {
                "description": "fork the processes of a case from one that has imported torch and transformers, which "
                "starts all but the first case in a second or two; on Linux, and on one host. Code of libraries that "
                "they share is then no part of host_peak_memory",
                "type": "boolean",
                "default": False,
            },
        }
    }

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(options)
        hosts, nodes, processes = options.get("hosts"), options.get("nodes"), options["processes"]
        if hosts and nodes not in (None, len(hosts) + 1):
            raise PluginError(f"the launcher 'torchrun' has {len(hosts)} other hosts, which are not {nodes} nodes")
        if options.get("warm") and self.hosts() > 1:
            raise PluginError(
                "the launcher 'torchrun' starts processes of one host warm, not of several; remove `warm`"
            )
        if processes != "auto" and processes % self.hosts():
            raise PluginError(
                f"the launcher 'torchrun' cannot spread {processes} processes evenly over {self.hosts()} hosts"
            )

    def missing(self, online: bool) -> Sequence[str]:
        if self.options.get("hosts") and shutil.which("ssh") is None:
            return ["ssh is not installed, which starts the processes on other hosts"]
        return []

    def settle(self, facts: Facts, only: int | None) -> Mapping[str, Any]:
        if self.options["processes"] != "auto":
            return self.options
        return {**self.options, "processes": only or (facts.accelerators or 1) * self.hosts()}

    def hosts(self) -> int:
        return int(self.options.get("nodes") or len(self.options.get("hosts") or ()) + 1)

    def start(self, case_dir: Path) -> Handle:
        from benchspec_plugins.launchers import group, hosts, warm
        from benchspec_plugins.launchers.commands import Host

        nodes = self.hosts()
        if nodes == 1:
            host = Host(self.options["processes"])
            return warm.start(case_dir, host) if self.options["warm"] else group.start(case_dir, host)
        found = {name: self.options[name] for name in ("port", "interface")}
        address = self.options["address"] or socket.gethostname()
        places = [
            Host(self.options["processes"] // nodes, nodes=nodes, node=node, address=address, **found)
            for node in range(nodes)
        ]
        return hosts.start(case_dir, places, self.options["hosts"] or ())

    def deaths(self, case_dir: Path) -> Mapping[int, int]:
        from benchspec_plugins.launchers import group

        return group.deaths(case_dir)

    def attach(self, id: str) -> Handle:
        from benchspec_plugins.launchers import group

        return group.Left(id)


@hookimpl
def benchspec_register() -> list[type[Torchrun]]:
    return [Torchrun]
