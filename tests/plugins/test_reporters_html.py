"""The page: one file that needs nothing else, in a real browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from shutil import which

import pytest
from example_results import oom, published, result, results

from benchspec.reports import metric_column, outcome_column
from benchspec.results.events import EventLog

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from benchspec_plugins.reporters.html import Html, _cells

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")


def page(*cases, folder=None, **run):
    found = results(*cases, **{"hardware": "xe9680-h100", **run})
    if folder:
        found.folder = folder
    return Html({}).render(found)


def cases(count=3):
    return [
        (result(f"opt-{number}b", {"train_runtime": 100.0 * (count - number), "mfu": 0.1}), published(value=900))
        for number in range(count)
    ]


class Links(HTMLParser):
    """Everything that a page would fetch or lead to."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "xlink:href", "action", "srcset")]


def test_a_page_has_the_verdicts_first_then_tables_figures_and_cases():
    text = page(*cases(), oom())
    order = [
        text.index(part)
        for part in ("published values reproduced", "<table>", "<svg", "Cases</h3>", "How it was run</h2>")
    ]
    assert order == sorted(order)
    assert "opt-30b-1f9c2a: oom in first-step" in text
    assert "CUDA out of memory" in text


def test_a_page_names_no_address_outside_itself():
    text = page(*cases(), oom(), machine={"os": "Linux"}, spec={"name": "x"}, command=["benchspec", "run"])
    assert all(link.startswith("#") for link in Links(text).found)
    assert not re.search(r"@import|url\((?!#)", text)
    assert "default-src 'none'" in text


def test_nothing_in_a_spec_or_a_log_becomes_markup():
    bad = oom(reason=HOSTILE, log=[HOSTILE], case=HOSTILE, axes={"model": HOSTILE})
    text = page(bad, experiments={"sizes": {"title": HOSTILE}}, spec={"description": HOSTILE}, machine_line=HOSTILE)
    assert "<script>document" not in text and "<img" not in text
    assert text.count("<script>") == 1


def test_a_page_of_a_hundred_cases_is_small(tmp_path):
    found = [result(f"opt-{number}", {"train_runtime": 60.0 + number}) for number in range(100)]
    for each in found[:5]:
        folder = tmp_path / "cases/sizes" / each.case / "1"
        folder.mkdir(parents=True)
        log = EventLog(folder, 0)
        for step in range(1, 500):
            log.add("step", step=step, rows=1, tokens=1, padded_tokens=1, loss_tokens=1, loss=2.0 / step, grad_norm=0.5)
    assert len(page(*found, folder=tmp_path)) < 3_000_000


def test_a_column_is_sorted_by_the_numbers_of_its_cells():
    first, second = _cells(metric_column([result(), oom()], "train_runtime"))
    assert (first.text, first.sort, second.sort) == ("14 min 2 s", 841.7, None)
    assert [cell.sort for cell in _cells(outcome_column([result()]))] == [None]


def test_without_results_a_page_says_so():
    assert "No results: no case of" in page()


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(params=[("light", 1280), ("dark", 390)], ids=["desktop, light", "phone, dark"])
def shown(request, browser, tmp_path):
    """A page in a browser, and everything that it said or asked for."""
    scheme, width = request.param
    (tmp_path / "report.html").write_text(page(*cases(12), oom(log=["a line\n" * 5]), machine={"os": "Linux"}))
    opened = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme).new_page()
    heard = []
    opened.on("console", lambda message: heard.append(message.text))
    opened.on("pageerror", lambda error: heard.append(str(error)))
    opened.on("request", lambda asked: heard.append(asked.url))
    opened.goto((tmp_path / "report.html").as_uri())
    assert heard.pop(0).endswith("report.html")
    yield opened
    assert heard == []
    opened.context.close()


@pytest.mark.slow
def test_a_browser_shows_it_accessibly_without_scrolling_sideways(shown):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    assert shown.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    found = axe.Axe().run(shown).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found] == []


@pytest.mark.slow
def test_a_table_is_sorted_with_the_keyboard(shown):
    table = shown.locator("table", has=shown.locator("caption", has_text=re.compile("^Results"))).first

    def times():
        return [cell.inner_text() for cell in table.locator("tbody tr td:nth-child(3)").all()][:3]

    before = times()
    button = table.locator("thead button", has_text="train time")
    button.focus()
    shown.keyboard.press("Enter")
    assert times() == ["1 min 40 s", "3 min 20 s", "5 min"] != before
    shown.keyboard.press("Enter")
    assert times() == ["20 min", "18 min 20 s", "16 min 40 s"]
    assert table.locator("th[aria-sort=descending]").count() == 1


@pytest.mark.slow
def test_a_link_opens_its_case(shown):
    shown.locator("tbody a").first.click()
    assert shown.evaluate("document.querySelector('details.case[open]') !== null")
