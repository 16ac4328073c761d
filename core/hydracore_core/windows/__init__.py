"""Windows of an UpdatePolicy: whether updates may start now, and when that changes.

``state`` is what others ask, ``calendar`` answers for one policy; ``timeline`` combines allow and
deny windows, ``recurrence`` knows one window; ``schedules`` and ``zones`` read what people wrote,
and ``compiled`` says what is wrong with it; ``explain`` tells it to people.
"""

from hydracore_core.windows.calendar import ALWAYS_OPEN, WindowState
from hydracore_core.windows.compiled import Problem, problems
from hydracore_core.windows.state import window_state

__all__ = ["ALWAYS_OPEN", "Problem", "WindowState", "problems", "window_state"]
