"""Rows that a model has written, kept in the cache round by round, so that what was made is never made again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from benchspec import BenchspecError
from benchspec.machine.cache import cache_folder


class Written:
    """A file of JSON lines, one a round, in the cache; a last line that was cut off is written anew."""

    def __init__(self, name: str, usable: Callable[[Mapping[str, Any]], bool]):
        """`usable` tells whether a round holds what it must."""
        self._usable = usable
        self.path = cache_folder() / "generated" / f"{name}.jsonl"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes of this host from writing the same rows meanwhile."""
        from filelock import FileLock

        with ExitStack() as held:
            with self._writing():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(FileLock(self.path.with_suffix(".lock")))
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A context in which the file's folder or disk may fail."""
        try:
            yield
        except OSError as error:
            raise BenchspecError(
                f"{self.path}: cannot be written ({error.strerror}); BENCHSPEC_CACHE names another cache"
            ) from error

    def rounds(self) -> list[dict[str, Any]]:
        """The whole rounds so far; raises `BenchspecError` if the file holds anything else."""
        if not self.path.is_file():
            return []
        text = self.path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(self.path, len(whole))
        try:
            found = [json.loads(line) for line in whole.splitlines()]
        except (ValueError, RecursionError) as error:
            raise self._damaged(str(error)) from error
        for number, each in enumerate(found):
            if not isinstance(each, dict) or type(each.get("round")) is not int or each["round"] != number:
                raise self._damaged(f"round {number} is missing")
            if not self._usable(each):
                raise self._damaged(f"round {number} is none of this version")
        return found

    def _damaged(self, why: str) -> BenchspecError:
        return BenchspecError(f"{self.path}: is damaged: {why}; remove it, and its rows are made anew")

    def add(self, made: Mapping[str, Any]) -> None:
        """Keep a round; once this has returned, it survives a kill. A round that finds no room is taken back."""
        line = json.dumps(made, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"
        with self._writing(), self.path.open("ab") as file:
            before = file.tell()
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):
                    os.truncate(self.path, before)
                raise
