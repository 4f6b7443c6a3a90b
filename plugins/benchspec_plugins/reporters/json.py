"""Results as one JSON document, for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl
from benchspec.terms.harmless import json_text

if TYPE_CHECKING:
    from benchspec.results import Results


class Json(Reporter):
    """One JSON document: `name`, `run`, `results` and `verdicts`.

    `run` is the content of run.json. Each entry of `results` follows `result.schema.json`. Each entry of `verdicts`
    compares a case with a published value; its keys are `source`, `hardware`, `experiment`, `case`, `kind`, `metric`,
    `published`, `measured`, `ratio` (measured / published) and `met`. It is strict JSON of printable characters; others
    are `\\u` escapes. `results` holds the metrics of every case, also of those that are not ok; only the metrics of a
    case that is ok are results.
    """

    name = "json"
    suffix = ".json"

    def render(self, results: Results) -> str:
        from benchspec.results.result import strict

        document = {
            "name": results.name,
            "run": results.run,
            "results": [result.to_json() for result in results],
            "verdicts": results.verdicts,
        }
        return json_text(strict(document), indent=2) + "\n"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Json]
