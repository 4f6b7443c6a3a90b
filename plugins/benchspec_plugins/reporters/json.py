"""Results as one JSON document, for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchspec import Plugin, Reporter, hookimpl
from benchspec.terms.harmless import json_text
from benchspec.terms.strict import without_infinities

if TYPE_CHECKING:
    from benchspec.results import Results


#: the keys of a verdict
VERDICT = (
    *("source", "hardware", "experiment", "case", "where", "kind", "metric", "published", "measured", "ratio"),
    *("interval", "verdict", "words", "differences"),
)


class Json(Reporter):
    """One JSON document: `name`, `run`, `results`, `headline` and `verdicts`.

    `run` is the content of run.json. Each entry of `results` follows `result.schema.json`. `headline` counts the
    verdicts in a line. Each entry of `verdicts` compares what was measured with a published value; its keys are
    `source`, `hardware`, `experiment`, `case` (null for an order or a slope), `where`, `kind`, `metric`, `published`,
    `measured`, `ratio` (measured / published), `interval` (of the ratio), `verdict`, `words` and `differences`, a list
    of `{field, published, here}`; docs/spec.md says what each verdict means. It is strict JSON of printable
    characters; others are `\\u` escapes. `results` holds the metrics of every case, also of those that are not ok;
    only the metrics of a case that is ok are results.
    """

    name = "json"
    suffix = ".json"

    def render(self, results: Results) -> str:
        from benchspec.results.verdicts import headline

        document = {
            "name": results.name,
            "run": results.run,
            "results": [result.to_json() for result in results],
            "headline": headline(results.verdicts),
            "verdicts": [{key: verdict[key] for key in VERDICT} for verdict in results.verdicts],
        }
        return json_text(without_infinities(document), indent=2) + "\n"


@hookimpl
def benchspec_register() -> list[type[Plugin]]:
    return [Json]
