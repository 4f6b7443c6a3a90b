"""Results as one JSON document, for other programs."""

from __future__ import annotations

import json

from benchspec import Plugin, Reporter, hookimpl
from benchspec.results.results import Results


class Json(Reporter):
    """One JSON document: `name`, `run` (what run.json holds) and `results` (each as `result.schema.json` says)."""

    name = "json"
    suffix = ".json"

    def render(self, results: Results) -> str:
        whole = {"name": results.name, "run": results.run, "results": [result.to_json() for result in results]}
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Json]
