"""The command line as a person meets it: help, refusals, exit status."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from hydracore_artifacts.errors import BuildError, DigestMismatch
from hydracore_cli.errors import CliError, is_expected
from hydracore_cli.main import main
from hydracore_kube import NotFound


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Result]:
    """Call the entry point in an empty folder, with nothing of HydraCore in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [n for n in os.environ if n.startswith(("HYDRACORE_", "KUBE"))]:
        monkeypatch.delenv(name)

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["hydracore", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return call


Run = Callable[..., Result]


def test_help_names_every_command(run: Run) -> None:
    found = run("--help")
    assert found.status == 0
    for command in ("up", "down", "demo", "operator", "api", "agent", "migrate", "keys", "bundle"):
        assert f" {command} " in found.stdout


@pytest.mark.parametrize("args", [(), ("3", "--none"), ("0",)])
def test_a_cap_is_a_number_or_none(run: Run, args: tuple[str, ...]) -> None:
    assert run("platform", "cap", *args).status == 2


def test_a_freeze_needs_a_reason(run: Run) -> None:
    assert run("platform", "freeze").status == 2
    assert "1 to 512 characters" in run("platform", "freeze", "--reason", "").stderr


def test_an_expected_error_is_exit_status_1_also_as_a_process(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "hydracore_cli.main", "bundle", "verify", "absent"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 1
    assert found.stderr.startswith("hydracore: absent.sig does not exist")


def test_help_loads_none_of_the_heavy_packages(tmp_path: Path) -> None:
    code = (
        "import sys, hydracore_cli.main as m; m.build_app();"
        "print([n for n in ('kubernetes', 'kopf', 'sqlalchemy', 'fastapi', 'obstore', 'httpx')"
        " if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("keys", "create", "--tenant", "a", "--name", "b"), "HYDRACORE_SERVER_SECRET_FILE"),
        (("keys", "list", "--tenant", "a"), "HYDRACORE_DATABASE_URL is not set"),
        (("migrate",), "start a stack with `hydracore up`"),
        (("rollouts", "watch"), "KUBECONFIG is not set"),
        (("bundle", "sign", "absent.tar.gz"), "HYDRACORE_BUNDLE_SIGNING_KEY_FILE is not set"),
        (("bundle", "publish", "absent.tar.gz"), "HYDRACORE_ARTIFACTS_URL is not set"),
        (("bundle", "verify", "absent.tar.gz"), "sign the bundle first"),
        (("bundle", "build", "--version", "1", "--out", "x"), "not a semantic version"),
        (("bundle", "build", "--version", "1.0.0", "--out", "no/where"), "No such file"),
    ],
)
def test_a_refusal_is_one_line_and_no_traceback(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    found = run(*arguments)
    assert found.status == 1
    assert found.stderr.startswith("hydracore: ")
    assert said in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("service", ["operator", "api"])
def test_a_service_without_settings_names_each_variable(run: Run, service: str) -> None:
    found = run(service)
    assert found.status == 1
    for name in ("DATABASE_URL", "ARTIFACTS_URL", "CONTROL_PLANE_KEY_FILE"):
        assert f"HYDRACORE_{name}: Field required" in found.stderr


def test_a_broken_kubeconfig_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("clusters: [")
    monkeypatch.setenv("KUBECONFIG", str(broken))
    found = run("rollouts", "watch", "-n", "acme")
    assert found.status == 1
    assert str(broken) in found.stderr
    assert "Traceback" not in found.stderr


def test_down_without_a_stack_says_so_and_is_content(run: Run) -> None:
    found = run("down")
    assert found.status == 0
    assert "Nothing of .hydracore was running" in found.stdout


def test_up_refuses_what_is_no_port(run: Run) -> None:
    found = run("up", "--api-port", "70000")
    assert found.status == 2
    assert "api-port" in found.stderr


def test_only_errors_meant_for_people_are_shown_without_a_traceback() -> None:
    assert is_expected(CliError("x"))
    assert is_expected(BuildError("x"))
    assert is_expected(DigestMismatch("x"))
    assert is_expected(NotFound("x"))
    assert not is_expected(ValueError("x"))
    assert not is_expected(KeyError("x"))


def test_up_refuses_a_taken_port_before_anything_starts(run: Run, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run("up", "--api-port", str(port))
    assert found.status == 1
    assert f"port {port} is taken by another process" in found.stderr
    assert not (tmp_path / ".hydracore/stack/progress.jsonl").exists()
