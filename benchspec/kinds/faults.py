"""A plugin's mistake in words, with the file and line in the plugin's source."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from numbers import Integral
from traceback import walk_tb
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from benchspec.kinds.values import Shape, Share
from benchspec.terms.errors import BenchspecError, PluginError

if TYPE_CHECKING:
    from benchspec.kinds.bases import Method, Model

T = TypeVar("T")


def explained(error: BaseException, packages: Collection[str], cls: type | None = None) -> str:
    """An exception as `TypeError: its message (FILE:LINE)`; what a plugin words for the user, its message alone.

    `packages` are the top-level modules of plugins. The line is the innermost one in any of them; if there is none, as
    when a method takes too few arguments, it is where `cls` is defined.
    """
    if isinstance(error, BenchspecError):
        return str(error)
    place = raised_at(error.__traceback__, packages) or defined_at(cls)
    return f"{type(error).__name__}: {' '.join(message(error).split())}{place}"


def message(error: BaseException) -> str:
    """An exception's message, even where making it a text raises another exception."""
    try:
        return str(error)
    except Exception as another:
        return f"its message cannot be shown: __str__ raised {type(another).__name__}"


def raised_at(traceback: TracebackType | None, packages: Collection[str]) -> str:
    """` (FILE:LINE)`, the innermost line of a traceback that is in one of these top-level modules, or nothing."""
    lines = [
        _place(frame.f_code.co_filename, line)
        for frame, line in walk_tb(traceback)
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] in packages
    ]
    return lines[-1] if lines else ""


def defined_at(what: Any) -> str:
    """` (FILE:LINE)` of a class or function, or nothing if its source is not to be found."""
    try:
        return _place(inspect.getsourcefile(what), inspect.getsourcelines(what)[1])
    except (OSError, TypeError):
        return ""


def returned(method: Callable[..., Any], value: T, types: type | tuple[type, ...], wanted: str) -> T:
    """What a plugin's method returned; raises `PluginError` if it is not of these types."""
    if not isinstance(value, types):
        raise wrong(method, value, wanted)
    return value


def shape_of(model: Model) -> Shape | None:
    """What a model's `shape` returned; raises `PluginError` if it is none."""
    return returned(model.shape, model.shape(), (Shape, type(None)), "a Shape or None")


def share_of(method: Method, shape: Shape) -> Share | None:
    """What a method's `share` returned; raises `PluginError` if it is none."""
    return returned(method.share, method.share(shape), (Share, type(None)), "a Share or None")


def whole(method: Callable[..., Any], value: Any) -> int | None:
    """A number that a plugin's method returned, of whatever integer type, or None; raises `PluginError` otherwise."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise wrong(method, value, "an integer or None")
    return int(value)


def wrong(method: Callable[..., Any], value: object, wanted: str) -> PluginError:
    """The error for a value that a plugin's method must not return; `wanted` says what it must."""
    name = getattr(method, "__qualname__", type(method).__name__).rpartition("<locals>.")[2]
    try:
        shown = repr(value)
    except Exception:
        shown = ""
    shown = shown if 0 < len(shown) <= 80 else f"a {type(value).__name__}"
    return PluginError(f"{name}() returned {shown}, not {wanted}{defined_at(method)}")


def _place(file: str | None, line: int | None) -> str:
    return f" ({file}:{line})" if file else ""
