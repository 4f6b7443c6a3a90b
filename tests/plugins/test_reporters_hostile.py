"""What a spec, a plugin or a log could smuggle into a report: it is shown in every format, and does nothing."""

from __future__ import annotations

import csv
import io
import json
import random
from html.parser import HTMLParser

import pytest
from example_results import published, result, results

from benchspec.reports.markdown import escape
from benchspec_plugins.reporters.csv import Csv
from benchspec_plugins.reporters.json import Json
from benchspec_plugins.reporters.markdown import Markdown
from benchspec_plugins.reporters.table import Table

ESCAPES = "\x1b]52;c;cHduZWQ=\x07 \x9b2J \u202e \udcff \u2066"
MARKDOWN = (
    "![pixel](https://evil.example/p.png) [click](javascript:alert(1)) <img src=x onerror=alert(1)> <https://evil.example> "
    "https://evil.example www.evil.example a@evil.example @everyone #12 evil/repo#3 GH-4 | **bold** `code` ~~gone~~ "
    "_slanted_ &copy; $x$ [a]: https://evil.example [^1]: [^1] \\"
)
FORMULAS = ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(1)", "\t=1+1", "\r=1+1", " =1+1", "＝1+1"]


def hostile(text):
    """Results with a text in every place that a spec, a plugin or a log can write to."""
    failed = result(text, outcome="crash", phase="train", rank=1, reason=text, case=f"a-{text}")
    ok = result("b", axes={"model": text, "backend": {"name": text, text: 1}}, basis={"mfu": "projected"}, case=text)
    value = published(value=900, source=text, hardware=text)
    slope = {
        "experiment": "sizes",
        "metric": "train_runtime",
        "slope": 1,
        "per": {text: 2},
        "source": text,
        "hardware": text,
    }
    return results(
        (failed, value), (ok, value, published(value=1, metric="dataset_rows", source=text)), name=text, hardware="here",
        machine_line=text, other_figures=text, slopes=[slope], experiments={"sizes": {"title": text}},
    )  # fmt: skip


@pytest.mark.parametrize("reporter", [Table, Markdown, Csv, Json])
def test_no_report_holds_a_character_that_a_terminal_acts_on(reporter):
    text = reporter({}).render(hostile(ESCAPES))
    assert text.replace("\n", "").isprintable()
    assert "52;c;cHduZWQ=" in text
    assert text.encode()


def test_a_reason_of_any_length_stays_short():
    long = results(result(outcome="crash", phase="train", reason="x" * 100_000))
    for reporter in (Table, Markdown, Csv):
        text = reporter({}).render(long)
        assert len(text) < 2000 and "more characters)" in text


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = set(), ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)

    def handle_comment(self, data):
        self.elements.add(data.strip())

    def handle_data(self, data):
        self.text += data


def rendered(text):
    """Markdown as GitHub's own parser shows it, without its filter for dangerous HTML."""
    cmarkgfm = pytest.importorskip("cmarkgfm", reason="needs cmarkgfm: pip install -e '.[dev]'")
    from cmarkgfm.cmark import Options

    return Page(cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES))


#: the elements of a report: its markers, headings, tables, lists, paragraphs, what is folded, and what is bold
MARKERS = {"benchspec: .", "/benchspec"}
REPORT = MARKERS | {"h1", "h2", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "p", "strong"}
REPORT |= {"details", "summary"}


def plain(text):
    """Text without white space, and without the space of no width that keeps GitHub from linking."""
    return "".join(text.replace("\u200b", "").split())


def test_markdown_shows_markup_as_text():
    page = rendered(Markdown({}).render(hostile(MARKDOWN)))
    assert page.elements == REPORT
    # the title, two reasons' places, axes, sources, warnings, the machine
    assert plain(page.text).count(plain(MARKDOWN)) > 10
    for mentioned in ("@everyone", "a@evil", "#12", "repo#3", "GH-4"):
        assert mentioned not in page.text


MARKUP = [
    *(
        "[",
        "]",
        "(",
        ")",
        "!",
        "*",
        "_",
        "~",
        "~~",
        "`",
        "```",
        "<",
        ">",
        "<b>",
        "</",
        "<!--",
        "-->",
        "&",
        "amp;",
        "&#35;",
    ),
    *(
        "#",
        "##",
        "# ",
        "1",
        "2.",
        "1) ",
        "- ",
        "+ ",
        "> ",
        "| ",
        "|",
        "\\",
        "http://x.y",
        "www.x.com",
        "a@b.co",
        "@user",
    ),
    *("#12", "GH-1", "o/r#3", "$x$", " ", "a", "word", "[ ] ", "[x] ", "[^1]", "[^1]:", ":", "](u)", "[a]: /u", "---"),
    *("===", "=", "<a@b.c>", "<https://q.r>", "mailto:a@b.c", "'", '"', "{", "}"),
]


@pytest.mark.parametrize("seed", range(200))
def test_any_sequence_of_markup_stays_text(seed):
    chance = random.Random(seed)
    text = "x" + "".join(chance.choices(MARKUP, k=chance.randint(1, 7)))
    reason = result(case=text[1:].strip() or "x", outcome="crash", phase="train", reason=text)
    page = rendered(Markdown({}).render(results(reason, experiments={"sizes": {"title": text}}, machine_line=text)))
    assert page.elements <= REPORT - {"strong"} and page.elements >= MARKERS
    assert plain(page.text).count(plain(text)) >= 3
    assert plain(rendered(f"| {escape(text)} |\n|---|\n").text) == plain(text)


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_has_no_formula(text):
    for row in csv.reader(io.StringIO(Csv({}).render(hostile(text)))):
        assert not any(cell.lstrip().startswith(tuple("=+-@＝\t\r")) for cell in row)


def test_negative_numbers_in_csv_stay_numbers():
    shown = Csv({}).render(results(result(metrics={"first_loss": -1.5, "final_loss": -2e-05}, axes={"train.x": -3})))
    (row,) = csv.DictReader(io.StringIO(shown))
    assert (row["first_loss"], row["final_loss"], row["train.x"]) == ("-1.5", "-2e-05", "-3")


def test_json_keeps_the_text_itself_and_is_strict():
    found = hostile(ESCAPES + MARKDOWN)
    found.run["earlier"] = float("inf")
    document = json.loads(Json({}).render(found), parse_constant=pytest.fail)
    assert document["results"][0]["reason"] == ESCAPES + MARKDOWN
    assert document["run"]["earlier"] is None
