"""Results as one JSON document, for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl

if TYPE_CHECKING:
    from benchspec.results import Results


class Json(Reporter):
    """One JSON document: `name`, `run`, `results` and `verdicts`.

    `run` is the content of run.json. Each entry of `results` follows `result.schema.json`. Each entry of `verdicts`
    compares a case with a published value; its keys are `source`, `hardware`, `experiment`, `case`, `kind`, `metric`,
    `published`, `measured`, `ratio` (measured / published) and `met`.
    """

    name = "json"
    suffix = ".json"

    def render(self, results: Results) -> str:
        document = {
            "name": results.name,
            "run": results.run,
            "results": [result.to_json() for result in results],
            "verdicts": results.verdicts,
        }
        return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Json]
