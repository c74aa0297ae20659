"""Part of the worker: limits of time, memory and output for chat templates, which are programs."""

from __future__ import annotations

import operator
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

MOST_SECONDS = 1.0
"""Seconds of processor time that rendering may take; usual templates take milliseconds."""
MOST_MEMORY = 150_000_000
"""Bytes that rendering may add to the memory of the worker, where the system has such a limit."""
MOST_CHARACTERS = 16_000_000
"""Characters that a rendered prompt may have beyond those of its messages."""
_AGAIN = 0.1
"""Seconds after which a template is interrupted again, if something caught the first time."""
_MOST_BITS = 1 << 16
"""Bits of a number that a template may calculate: nothing can interrupt a larger calculation."""


class TemplateLimitError(Exception):
    """A chat template needs too much time, memory or output."""


@contextmanager
def limited() -> Iterator[None]:
    """Limit the time and the memory of what runs inside; raise TemplateLimitError beyond.

    Time is limited in the main thread only, which alone can handle signals.
    """
    _limit_numbers()
    try:
        with _limited_time(), _limited_memory():
            yield
    except MemoryError as exc:
        raise TemplateLimitError(f"needs more than {MOST_MEMORY // 10**6} MB of memory") from exc


def check_length(rendered: str, contents: Sequence[str]) -> str:
    """Return a rendered prompt; raise TemplateLimitError if it is far longer than its messages."""
    # A template may show a message more than once.
    if len(rendered) > MOST_CHARACTERS + 8 * sum(map(len, contents)):
        told = f"makes a prompt of {len(rendered):,} characters"
        raise TemplateLimitError(told)
    return rendered


@contextmanager
def _limited_time() -> Iterator[None]:
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _interrupt)
    try:
        # Processor time: on a busy machine an honest template may wait.
        signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS, _AGAIN)
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise TemplateLimitError(f"takes more than {MOST_SECONDS:g} s")


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Limit the address space to what it is now and a little more; on Linux only."""
    used = _address_space()
    if not used:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = used + MOST_MEMORY
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _address_space() -> int:
    """Return the bytes of address space that this process uses; 0 if the system does not say."""
    if sys.platform != "linux":
        return 0
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def _limit_numbers() -> None:
    """Let templates calculate no huge numbers; jinja2's sandbox offers that for its operators."""
    from jinja2.sandbox import SandboxedEnvironment

    if "**" in SandboxedEnvironment.intercepted_binops:
        return
    SandboxedEnvironment.intercepted_binops = frozenset({"**", "*"})
    SandboxedEnvironment.default_binop_table = {
        **SandboxedEnvironment.default_binop_table,
        "**": _power,
        "*": _product,
    }


def _power(base: object, exponent: object) -> object:
    if isinstance(base, int) and isinstance(exponent, int):
        _check_bits(base.bit_length() * max(0, exponent))
    return operator.pow(base, exponent)


def _product(first: object, second: object) -> object:
    if isinstance(first, int) and isinstance(second, int):
        _check_bits(first.bit_length() + second.bit_length())
    return operator.mul(first, second)


def _check_bits(bits: int) -> None:
    if bits > _MOST_BITS:
        raise TemplateLimitError(f"calculates a number of more than {_MOST_BITS:,} bits")
