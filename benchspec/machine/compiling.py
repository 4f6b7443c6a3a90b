"""What compiling torch's extensions takes."""

from __future__ import annotations

import os
import shlex
from shutil import which

#: what is missing -> what to do
REMEDIES = {"a C++ compiler": "install one, e.g. apt-get install g++", "ninja": "pip install ninja"}


def absent_tools() -> list[str]:
    """The names in `REMEDIES` of the tools that are not found where torch looks for them."""
    # As torch.utils.cpp_extension does.
    commands = {"a C++ compiler": (shlex.split(os.environ.get("CXX", "")) or ["c++"])[0], "ninja": "ninja"}
    return [tool for tool, command in commands.items() if which(command) is None]
