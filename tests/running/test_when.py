"""When a case ran: its dates follow the wall clock, its duration does not."""

from __future__ import annotations

import time

import pytest

from benchspec.machine.host import host
from benchspec.results.evidence import Evidence
from benchspec.running import when

NOW = {"time": 5000.0, "monotonic": 900.0}


@pytest.fixture(autouse=True)
def _clocks(monkeypatch):
    for name, value in NOW.items():
        monkeypatch.setattr(time, name, lambda value=value: value)


def start(clock, date=None, on=None):
    return {"event": "start", "world": 1, "time": date or clock + 4100.0, "clock": clock, "host": on or host()}


def later(clock, date=None):
    return {"event": "done", "time": date or clock + 4100.0, "clock": clock}


@pytest.mark.parametrize("started", [4900.0, 0.0, 9000.0])
def test_until_now_it_lasted_what_the_monotonic_clock_says(started):
    assert when.until_now(started, 800.0) == (started, 5000.0, 100.0)


@pytest.mark.parametrize("date", [None, 10.0, 9000.0])
def test_a_case_that_is_ok_ends_with_its_last_event(date):
    seen = Evidence({0: [start(802.0), later(880.0, date)], 1: [start(803.0), later(881.0, date)]})
    found = when.until_last_event(when.until_now(4900.0, 800.0), 800.0, seen)
    assert found.seconds == 81.0


def test_events_of_another_host_tell_no_duration_here():
    seen = Evidence({0: [start(20.0, on="another"), later(70.0)]})
    assert when.until_last_event(when.until_now(4900.0, 800.0), 800.0, seen).seconds == 100.0


def test_a_case_whose_end_nobody_saw_lasted_from_its_first_to_its_last_event():
    seen = Evidence({0: [start(20.0, date=1000.0), later(70.0, date=90.0)]})
    assert when.of_events(seen) == (90.0, 1000.0, 50.0)
    assert when.of_events(Evidence({})) == (5000.0, 5000.0, 0.0)


def test_a_group_that_is_followed_began_with_its_first_rank():
    assert when.begun(Evidence({0: [start(703.0, date=9999.0)], 1: [start(700.0)]})) == 700.0


def test_a_group_on_other_hosts_began_at_the_date_of_its_first_rank():
    seen = Evidence({0: [start(3.0, date=4940.0, on="another")], 1: [start(9e9, date=4950.0, on="a third")]})
    assert when.begun(seen) == 840.0
    assert when.begun(Evidence({0: [start(3.0, date=6000.0, on="another")]})) == 900.0


def test_a_group_of_which_no_rank_has_started_begins_now():
    assert when.begun(Evidence({})) == 900.0
