"""The JSON schemas as they are shipped, and whether what is read follows them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchspec.terms.harmless import clipped

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator


def load(name: str) -> dict[str, Any]:
    """A schema from its file, which is in the package, or next to it in a checkout."""
    here = Path(__file__).parents[1]
    folder = here / "schemas" if (here / "schemas").is_dir() else here.parent / "schemas"
    schema: dict[str, Any] = json.loads((folder / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    """A validator for a schema."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema)


def violation(check: Draft202012Validator, value: Any) -> str | None:
    """What in a value is against a schema, with its path; None if nothing is.

    Of several violations the one is named that lies deepest, since it says most precisely what is wrong.
    """
    errors = list(check.iter_errors(value))
    if not errors:
        return None
    error = max(errors, key=lambda error: len(error.absolute_path))
    where = ".".join(map(str, error.absolute_path))
    # The message repeats the value.
    text = clipped(error.message, 200)
    return f"{where}: {text}" if where else text
