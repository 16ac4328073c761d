"""The files of a stack: env, progress, record, keys."""

import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from hydracore_artifacts.errors import KeyFileError
from hydracore_cli.errors import CliError
from hydracore_cli.stack.env_file import read_env, write_env
from hydracore_cli.stack.key_material import ensure_keys
from hydracore_cli.stack.layout import StackLayout, layout_of
from hydracore_cli.stack.progress import ProgressEvent, ProgressReader, ProgressWriter
from hydracore_cli.stack.record import StackRecord, load_record

VALUES = {"HYDRACORE_API_URL": "http://127.0.0.1:1234", "KUBECONFIG": "/a b/it's $HOME.yaml"}


def test_the_env_file_is_private_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "env"
    write_env(path, VALUES)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_env(path) == VALUES
    assert "HYDRACORE_API_URL=http://127.0.0.1:1234\n" in path.read_text()
    assert read_env(tmp_path / "absent") == {}


def test_a_shell_reads_the_same_values(tmp_path: Path) -> None:
    path = tmp_path / "env"
    write_env(path, VALUES)
    command = f'. {shlex.quote(str(path))}; printf "%s|%s" "$HYDRACORE_API_URL" "$KUBECONFIG"'
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert found.stdout == "|".join(VALUES.values())


def test_a_bad_env_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("A=1\nnonsense\n")
    with pytest.raises(CliError, match="line 2"):
        read_env(path)


def test_progress_is_read_as_it_comes_and_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    reader = ProgressReader(path)
    assert reader.read() == []
    writer = ProgressWriter(path)
    first = ProgressEvent("begin", "control plane", 4)
    writer.write(first)
    assert reader.read() == [first]
    line = '{"kind": "ready", "text": "", "usual_seconds": null}\n'
    with path.open("a") as stream:
        stream.write(line[:10])
        stream.flush()
        assert reader.read() == []
        stream.write(line[10:])
        stream.flush()
        assert reader.read() == [ProgressEvent("ready")]


def test_the_record_survives_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    assert load_record(path) is None
    record = StackRecord(pid=7, phase="ready", api_port=8080)
    record.save(path)
    assert load_record(path) == record
    path.write_text("garbage")
    assert load_record(path) is None


@pytest.fixture
def layout(tmp_path: Path) -> StackLayout:
    found = layout_of(tmp_path / "state")
    found.create()
    return found


def test_keys_are_made_once_and_private(layout: StackLayout) -> None:
    ensure_keys(layout)
    files = [
        layout.control_plane_key,
        layout.signing_key,
        layout.server_secret,
        layout.ops_token,
    ]
    before = [file.read_bytes() for file in files]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert len(layout.server_secret.read_bytes()) >= 32
    assert len(set(before)) == len(before)
    ensure_keys(layout)
    assert [file.read_bytes() for file in files] == before


def test_a_damaged_key_is_not_replaced_in_silence(layout: StackLayout) -> None:
    ensure_keys(layout)
    layout.control_plane_key.write_text("damaged")
    with pytest.raises(KeyFileError, match="PEM"):
        ensure_keys(layout)
    assert layout.control_plane_key.read_text() == "damaged"
