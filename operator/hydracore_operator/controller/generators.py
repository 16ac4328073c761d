"""Asynchronous generators of a library, closed in order where their consumer was cancelled.

A consumer that is cancelled between two items leaves its generator open. The event loop closes
such generators at its end, but all at once, so that a generator and the context manager that it
is inside of trip over each other, and a traceback is logged.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from types import AsyncGeneratorType, FrameType
from typing import Any, Self, TypeGuard
from weakref import WeakValueDictionary

Generator = AsyncGeneratorType[Any, Any]


class Generators:
    """Those of a package that were begun inside of ``noticed``, oldest first."""

    def __init__(self, package: str) -> None:
        """Prepare.

        Args:
            package: Its generators and those of packages below it are meant.
        """
        self._package = package
        self._begun: WeakValueDictionary[int, Generator] = WeakValueDictionary()
        self._numbers = count()

    @contextmanager
    def noticed(self) -> Iterator[Self]:
        """Take note of generators begun in here and in tasks that are begun in here.

        An event loop must run; other tasks of the loop may do the same at the same time.
        """
        before = sys.get_asyncgen_hooks()

        def begun(generator: AsyncGenerator[Any, Any]) -> None:
            if before.firstiter is not None:
                before.firstiter(generator)
            if _owner.get() is self and _is_of(generator, self._package):
                self._begun[next(self._numbers)] = generator

        sys.set_asyncgen_hooks(firstiter=begun)
        token = _owner.set(self)
        try:
            yield self
        finally:
            _owner.reset(token)
            if sys.get_asyncgen_hooks().firstiter is begun:
                sys.set_asyncgen_hooks(firstiter=before.firstiter)

    def open(self) -> list[Generator]:
        """Return those that have neither ended nor are being run, outermost first."""
        return [g for g in self._begun.values() if g.ag_frame is not None and not g.ag_running]

    async def close(self) -> None:
        """Close what is open: an outer generator before those that it went through.

        Call this when their consumers have ended.
        """
        for generator in self.open():
            # Closing an outer one has ended what it was inside of.
            if generator.ag_frame is not None and not generator.ag_running:
                await generator.aclose()


def is_of_package(frame: FrameType | None, package: str) -> bool:
    """Whether code that has not ended is of the package or of one below it."""
    if frame is None:
        return False
    return f"{frame.f_globals.get('__name__', '')}.".startswith(f"{package}.")


def _is_of(generator: AsyncGenerator[Any, Any], package: str) -> TypeGuard[Generator]:
    return isinstance(generator, AsyncGeneratorType) and is_of_package(generator.ag_frame, package)


_owner: ContextVar[Generators | None] = ContextVar("owner of generators", default=None)
