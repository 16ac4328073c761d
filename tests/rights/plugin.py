"""Judges, at the end of a test run, the accounts' rights by the calls of the run.

Clusters of tests keep their audit logs in the run's folder (:mod:`tests.rights.session`). That
nothing was refused is judged after every run, that nothing is unused after a whole one only.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from hydracore_devcluster.layout import ProjectLayout, find_project
from tests.rights.calls import read
from tests.rights.grants import granted
from tests.rights.session import folder
from tests.rights.verdict import Verdict, judge

WHOLE = ("", "not faults")
"""Marks (``-m``) of a run that is expected to use every right."""

_VERDICT = pytest.StashKey[Verdict]()
_WHOLE = pytest.StashKey[bool]()


def manifests(project: ProjectLayout) -> Iterable[dict[str, Any]]:
    """Return the objects in manifests/rbac."""
    for file in sorted((project.manifests / "rbac").glob("*.yaml")):
        yield from (d for d in yaml.safe_load_all(file.read_text()) if d)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Judge, once, in the process that leads the run."""
    config = session.config
    if hasattr(config, "workerinput") or exitstatus > pytest.ExitCode.TESTS_FAILED:
        return
    logs = folder(config._tmp_path_factory)  # type: ignore[attr-defined]
    calls = read(sorted(logs.glob("*.log")))
    if not calls:
        return
    config.stash[_WHOLE] = whole = _is_whole(session)
    grants = granted(manifests(find_project()))
    config.stash[_VERDICT] = verdict = judge(grants, calls, whole=whole)
    if verdict.findings:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was found."""
    verdict = config.stash.get(_VERDICT, None)
    if verdict is None:
        return
    line = f"{verdict.calls} calls by operator and API used {verdict.used} of {verdict.granted}"
    part = "" if config.stash[_WHOLE] else " (not a whole run: unused ones are not judged)"
    early = f"; {verdict.early} came before the API server knew its roles" if verdict.early else ""
    terminalreporter.section("rights")
    terminalreporter.write_line(f"{line} rights{part}{early}")
    for finding in verdict.findings:
        terminalreporter.write_line(f"FAILED {finding}", red=True)


def _is_whole(session: pytest.Session) -> bool:
    option = session.config.option
    narrowed = option.file_or_dir or option.keyword or getattr(option, "lf", False)
    stopped = session.shouldstop or session.shouldfail
    return not narrowed and not stopped and option.markexpr in WHOLE
