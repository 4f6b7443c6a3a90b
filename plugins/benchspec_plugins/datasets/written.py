"""Rows that a model has written, kept in the cache round by round, so that what was made is never made again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchspec import BenchspecError
from benchspec.machine.cache import cache_folder


class Written:
    """A file of JSON lines, one a round, in the cache; a last line that was cut off is written anew."""

    def __init__(self, name: str):
        self.path = cache_folder() / "generated" / f"{name}.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes of this host from writing the same rows meanwhile."""
        from filelock import FileLock

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock")):
                yield
        except OSError as error:
            raise BenchspecError(
                f"{self.path}: cannot be written ({error.strerror}); BENCHSPEC_CACHE names another cache"
            ) from error

    def rounds(self) -> list[dict[str, Any]]:
        """The whole rounds so far."""
        if not self.path.is_file():
            return []
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(self.path, len(whole))
        try:
            found = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise BenchspecError(f"{self.path}: is damaged ({error}); remove it, and its rows are made anew") from error
        if not all(isinstance(each, dict) and each.get("round") == at for at, each in enumerate(found)):
            raise BenchspecError(f"{self.path}: is damaged: a round is missing; remove it, and its rows are made anew")
        return found

    def add(self, made: Mapping[str, Any]) -> None:
        """Keep a round; once this has returned, it survives a kill."""
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(made, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
            os.fsync(file.fileno())
