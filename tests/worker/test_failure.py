"""An exception -> the outcome and the reason."""

import errno
from datetime import timedelta

import pytest

torch = pytest.importorskip("torch")

from benchspec.terms.errors import BenchspecError
from benchspec.worker import failure
from benchspec.worker.failure import outcome_of, place_of, reason_of

NO_HANDLE = "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"
#: as a process of torch's DataLoader repeats an exception
REPEATED = "Caught RuntimeError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  …\n%s"
CPU = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"


class OwnError(RuntimeError):
    """An exception of a recipe's author."""


class UnspeakableError(Exception):
    def __str__(self):
        raise ZeroDivisionError


def raised_from(error, cause):
    error.__cause__ = cause
    return error


def raised_while_handling(error, other):
    error.__context__ = other
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (MemoryError(), "oom"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), "oom"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), "oom"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "oom"),
        (RuntimeError("[gloo] Timed out waiting 1800000ms for recv operation to complete"), "hang"),
        (RuntimeError("Connection closed by peer"), "crash"),
        (RuntimeError(CPU), "oom"),
        (RuntimeError(REPEATED % f"RuntimeError: {CPU}"), "oom"),
        (RuntimeError("std::bad_alloc"), "oom"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "host-oom"),
        (torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be"), "oom"),
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), "crash"),
        (torch.distributed.DistBackendError("NCCL error in: …\nCuda failure 2 'out of memory'"), "oom"),
        (torch.distributed.DistBackendError("NCCL error in: … remote process exited"), "crash"),
        (torch.distributed.DistBackendError("[Rank 0] Watchdog caught collective operation timeout: …"), "hang"),
        (torch.distributed.DistStoreError("wait timeout after 300000ms, keys: /x"), "hang"),
        (torch.distributed.DistNetworkError("The client socket has timed out after 1000ms while trying to"), "hang"),
        (torch.distributed.DistNetworkError("Connection reset by peer"), "crash"),
        (RuntimeError("[Rank 0]: Rank 1 failed to pass monitoredBarrier in 3000 ms\n …"), "hang"),
        # What others say of memory and of time is no more than text.
        (RuntimeError("row 3: 'CUDA out of memory, DefaultCPUAllocator: can't allocate memory'"), "crash"),
        (ValueError("the row says: std::bad_alloc"), "crash"),
        (ValueError(CPU), "crash"),
        (OwnError(CPU), "crash"),
        (OwnError("the licence server: Timed out waiting"), "crash"),
        (RuntimeError("Timed out waiting for the licence server"), "crash"),
        (TimeoutError("timed out"), "crash"),
        # Whoever raises from an exception says that it is the cause.
        (raised_from(OwnError("training failed"), torch.OutOfMemoryError("CUDA out of memory")), "oom"),
        (raised_from(OwnError("a"), raised_from(OwnError("b"), MemoryError())), "oom"),
        (raised_from(OwnError("a"), OwnError("b")), "crash"),
        (raised_while_handling(OwnError("a"), MemoryError()), "crash"),
        (UnspeakableError(), "crash"),
        (ValueError("no"), "crash"),
        (SystemExit(0), "crash"),
        (BenchspecError("row 3: no key 'output'"), "crash"),
    ],
)
def test_what_was_raised_says_the_outcome(error, outcome):
    assert outcome_of(error) == outcome


@pytest.mark.parametrize(
    "said", [NO_HANDLE, "CUDA error: HIPBLAS_STATUS_ALLOC_FAILED when calling `hipblasCreate(handle)`"]
)
@pytest.mark.parametrize(("full", "outcome"), [(True, "oom"), (False, "crash")])
def test_cublas_without_a_handle_is_out_of_memory_on_a_full_device_only(monkeypatch, full, outcome, said):
    monkeypatch.setattr(failure, "device_is_full", lambda: full)
    assert outcome_of(RuntimeError(said)) == outcome


@pytest.mark.parametrize(("free", "full"), [(2**20, True), (2**30, False)])
def test_a_device_is_full_if_it_has_no_memory_for_a_handle(monkeypatch, free, full):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 2**36))
    assert failure.device_is_full() is full


def test_a_device_that_cannot_be_asked_is_not_full(monkeypatch):
    def broken():
        raise torch.AcceleratorError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(torch.cuda, "mem_get_info", broken)
    assert not failure.device_is_full()


def test_an_allocation_that_is_too_large_is_out_of_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2**50)
    assert outcome_of(caught.value) == "oom"


def test_a_rank_that_waits_for_another_one_in_vain_hangs():
    store = torch.distributed.TCPStore("127.0.0.1", 0, 2, is_master=True, wait_for_workers=False)
    with pytest.raises(torch.distributed.DistStoreError) as caught:
        store.wait(["never"], timedelta(milliseconds=50))
    assert outcome_of(caught.value) == "hang"


def test_an_exception_that_is_its_own_cause_is_a_crash():
    error = OwnError("a")
    assert outcome_of(raised_from(error, error)) == "crash"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("\n no \nat all"), "ValueError: no"),
        (KeyError(), "KeyError: no message"),
        (UnspeakableError(), "UnspeakableError: its message cannot be shown: __str__ raised ZeroDivisionError"),
        (raised_from(OwnError("a"), MemoryError("b")), "OwnError: a (from MemoryError: b)"),
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


def test_a_check_of_the_core_within_a_plugins_call_is_not_the_plugins_fault():
    with pytest.raises(KeyError) as caught:
        exec("raise KeyError('dtype')", {"__name__": "benchspec.worker.arithmetic"})
    assert place_of(caught.value, "crash", {__name__}) == ""
    with pytest.raises(TypeError) as caught:
        exec("raise TypeError('loss is a Tensor')", {"__name__": "benchspec.worker.rank"})
    assert f"{__file__}:" in place_of(caught.value, "crash", {__name__})
