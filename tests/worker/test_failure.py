"""An exception -> the outcome and the reason."""

import pytest

torch = pytest.importorskip("torch")

from benchspec.terms.errors import BenchspecError
from benchspec.worker.failure import outcome_of, place_of, reason_of


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "oom"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "oom"),
        (RuntimeError("[gloo] Timed out waiting 1800000ms for recv operation to complete"), "hang"),
        (RuntimeError("Connection closed by peer"), "crash"),
        (ValueError("no"), "crash"),
        (SystemExit(0), "crash"),
        (BenchspecError("row 3: no key 'output'"), "crash"),
    ],
)
def test_what_was_raised_says_the_outcome(error, outcome):
    assert outcome_of(error) == outcome


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("\n no \nat all"), "ValueError: no"),
        (KeyError(), "KeyError: no message"),
        (BenchspecError("rows.json: row 3: no key 'output'"), "rows.json: row 3: no key 'output'"),
    ],
)
def test_a_reason_is_one_line(error, reason):
    assert reason_of(error) == reason


def raised(error):
    """The error, raised in this module."""
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "outcome", "shown"),
    [
        (ValueError("no"), "crash", True),
        (MemoryError(), "oom", False),
        (BenchspecError("row 3: no key 'output'"), "crash", False),
    ],
)
def test_a_crash_comes_with_the_line_of_the_plugin(error, outcome, shown):
    found = raised(error)
    assert place_of(found, outcome, {__name__}).startswith(f" ({__file__}:") == shown
    assert place_of(found, outcome, {"another_package"}) == ""
