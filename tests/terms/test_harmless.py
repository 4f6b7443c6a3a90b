"""Text from anywhere, made harmless to show."""

from __future__ import annotations

import json
import time

import pytest

from benchspec.terms.harmless import LONGEST, brief, escaped, json_text, one_line, printable, shortened

#: what text from a spec, a plugin or a log may do to a terminal -> what is shown instead
HARMFUL = {
    "\x1b]52;c;ZWNobyBvd25lZA==\x07": r"\x1b]52;c;ZWNobyBvd25lZA==\x07",
    "\x1b[2J\x1b[31mred": r"\x1b[2J\x1b[31mred",
    "\x9b31mred": r"\x9b31mred",
    "back\x08\x7f": r"back\x08\x7f",
    "txt.\u202egpj": r"txt.\u202egpj",
    "\u2066isolated\u2069": r"\u2066isolated\u2069",
    "hidden\u200b\ufeff\U000e0041": r"hidden\u200b\ufeff\U000e0041",
    "name-\udcff.json": r"name-\udcff.json",
    "null\0": r"null\x00",
}
ORDINARY = ["15 min 3 s", "0.94×", "–", "Größe: 10 µs", "数据", "🙂", "a  b", r"C:\new", "'quoted' \"twice\""]


@pytest.mark.parametrize(("text", "shown"), HARMFUL.items())
def test_a_character_that_acts_on_a_terminal_is_shown_as_its_escape(text, shown):
    assert one_line(text) == printable(text) == escaped(text) == brief(text) == shown
    assert shown.isprintable() and shown.encode()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays_as_it_is(text):
    assert one_line(text) == printable(text) == brief(text) == text


@pytest.mark.parametrize(
    "text",
    ["boom\nagain", "boom \r\n\tagain", "boom\u2028again", "boom\x85again\n", "\tboom\xa0again", "boom\x0b\x0cagain"],
)
def test_every_kind_of_line_break_becomes_one_space(text):
    assert one_line(text) == "boom again"


def test_escaped_text_hides_no_line_break():
    assert escaped("two\nlines\t") == r"two\nlines\t"


def test_printable_text_keeps_its_lines():
    assert printable("a\n\tb\r\n\x1b[1mc") == "a\n\tb\\r\n\\x1b[1mc"


def test_long_text_says_how_much_is_missing():
    text = brief("x" * 1234)
    assert LONGEST - 1 <= len(text) <= LONGEST
    kept = text.index("…")
    assert text == "x" * kept + f"… ({1234 - kept} more characters)"
    assert brief(text) == text
    assert shortened("x" * LONGEST) == "x" * LONGEST


@pytest.mark.parametrize("text", [" " * 200_000 + "x", "\n \n" * 100_000, "\x1b" * 200_000, "  \n" * 100_000])
def test_hostile_lengths_take_no_time(text):
    begun = time.process_time()
    brief(text)
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("text", [*HARMFUL, *ORDINARY, "two\nlines"])
def test_json_has_all_text_and_is_printable(text):
    shown = json_text({"text": text, text: [text]})
    assert shown.replace("\n", "").isprintable()
    assert json.loads(shown) == {"text": text, text: [text]}


def test_json_is_strict():
    with pytest.raises(ValueError):
        json_text(float("nan"))
