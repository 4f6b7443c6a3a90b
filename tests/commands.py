"""Commands, called in this process; and functions, whose calls are counted."""

from __future__ import annotations

import signal
import sys

import pytest

from benchspec import cli


def called(monkeypatch, *arguments):
    """The exit code of a command."""
    handlers = {signum: signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr("sys.argv", ["benchspec", *map(str, arguments)])
    try:
        with pytest.raises(SystemExit) as exit:
            cli.main()
    finally:
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
    return exit.value.code or 0


def counted(monkeypatch, function, *owners):
    """A list that grows with each call of a function; `owners` have it, by default every module that imported it."""
    calls = []

    def counting(*args, **kwargs):
        calls.append(args)
        return function(*args, **kwargs)

    name = function.__name__
    modules = [module for key, module in sys.modules.items() if key.split(".")[0] == "benchspec"]
    holders = [holder for holder in owners or modules if vars(holder).get(name) is function]
    assert holders
    for holder in holders:
        monkeypatch.setattr(holder, name, counting)
    return calls
