"""Building, with a Go that only pretends."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest

from hydracore_devcluster.assets import Assets
from hydracore_devcluster.build import provide, provide_tools
from hydracore_devcluster.errors import AssetsIncompleteError, BuildFailedError
from hydracore_devcluster.layout import ProjectLayout, find_project
from hydracore_devcluster.lock import FileLock
from hydracore_devcluster.progress import Progress
from hydracore_devcluster.toolset import (
    CONTROL_PLANE,
    HELM_VERSION,
    KUBECONFORM_VERSION,
    KUBERNETES_VERSION,
    PACKAGING_TOOLS,
    PEER_CONTROLLER,
    S3_TOOLS,
    VERSITYGW_VERSION,
    Toolset,
)
from tests.devcluster.fakes import binaries, fake_go, project


@pytest.fixture
def layout(tmp_path: Path) -> ProjectLayout:
    return project(tmp_path / "project")


@pytest.fixture
def go(tmp_path: Path) -> Path:
    return fake_go(tmp_path / "path" / "go")


def run(layout: ProjectLayout, go: Path, out: io.StringIO | None = None) -> Assets:
    environ = {"PATH": f"{go.parent}:/usr/bin:/bin", "HOME": str(go.parent)}
    return provide(layout, environ, Progress(out or io.StringIO()))


def builds(go: Path) -> list[str]:
    record = Path(f"{go}.builds")
    return record.read_text().splitlines() if record.exists() else []


def test_it_builds_once_without_cgo_and_says_what_it_does(layout: ProjectLayout, go: Path) -> None:
    out = io.StringIO()
    first = run(layout, go, out)
    assert first.etcd == layout.cache / "bin" / "server"
    assert first.missing is None
    assert builds(go) == ["0 -buildvcs=false -mod=readonly"]
    said = out.getvalue()
    assert "building the control plane (etcd, kube-apiserver" in said
    assert "usually takes about 8 min" in said
    assert "downloading module 1 of at most 1: example.org/module v1.0.0" in said
    assert "built the control plane in" in said

    again = io.StringIO()
    assert run(layout, go, again) == first
    assert len(builds(go)) == 1
    assert again.getvalue() == ""


def test_it_counts_packages(layout: ProjectLayout, go: Path) -> None:
    fake_go(go, build="echo example.org/first >&2; sleep 0.7")
    out = io.StringIO()
    clock = iter(range(0, 100_000, 100))
    environ = {"PATH": f"{go.parent}:/usr/bin:/bin"}
    provide(layout, environ, Progress(out, clock=lambda: float(next(clock))))
    assert "package 1 of 2" in out.getvalue()
    assert "of usually" in out.getvalue()


@pytest.mark.parametrize("change", ["go.mod", "go.sum", "version", "binary"])
def test_it_builds_again_when_something_changed(
    layout: ProjectLayout, go: Path, change: str
) -> None:
    run(layout, go)
    if change == "version":
        fake_go(go, version="go1.27.0")
    elif change == "binary":
        (layout.cache / "bin" / "kube-controller-manager").unlink()
    else:
        with (layout.go_module / change).open("a") as file:
            file.write("// changed\n")
    run(layout, go)
    assert len(builds(go)) == 2


def test_what_is_built_counts_where_go_is_gone(layout: ProjectLayout, go: Path) -> None:
    first = run(layout, go)
    go.unlink()
    assert provide(layout, {"PATH": str(go.parent)}, Progress(io.StringIO())) == first


def test_a_failed_build_quotes_go_and_leaves_no_half(layout: ProjectLayout, go: Path) -> None:
    fake_go(go, build="echo 'disk quota exceeded' >&2; exit 2")
    with pytest.raises(BuildFailedError) as caught:
        run(layout, go)
    assert "`go build` failed with status 2" in str(caught.value)
    assert "disk quota exceeded" in str(caught.value)
    assert list((layout.cache / "bin").iterdir()) == []
    assert list(layout.cache.glob("build-*")) == []


def test_a_build_without_all_binaries_is_an_error(layout: ProjectLayout, go: Path) -> None:
    fake_go(go, build="exit 0")
    with pytest.raises(BuildFailedError, match="other binaries than expected"):
        run(layout, go)


def test_named_binaries_are_used_and_nothing_is_built(
    layout: ProjectLayout, go: Path, tmp_path: Path
) -> None:
    folder = binaries(tmp_path / "envtest", "etcd", "kube-apiserver", "kubectl")
    environ = {"PATH": str(go.parent), "KUBEBUILDER_ASSETS": str(folder)}
    assert provide(layout, environ, Progress(io.StringIO())).etcd == folder / "etcd"
    assert builds(go) == []
    (folder / "etcd").unlink()
    with pytest.raises(AssetsIncompleteError, match="no executable etcd"):
        provide(layout, environ, Progress(io.StringIO()))


def test_a_second_build_waits_for_the_first(layout: ProjectLayout, go: Path) -> None:
    layout.cache.mkdir(parents=True)
    lock = FileLock(layout.cache / "build.lock")
    assert lock.acquire()
    waiting = threading.Event()

    class Out(io.StringIO):
        def write(self, text: str, /) -> int:
            if "waiting for another build" in text:
                waiting.set()
            return super().write(text)

    thread = threading.Thread(target=run, args=(layout, go, Out()))
    thread.start()
    assert waiting.wait(10)
    assert builds(go) == []
    lock.release()
    thread.join(20)
    assert len(builds(go)) == 1


def test_the_packaging_tools_are_a_set_of_their_own(layout: ProjectLayout, go: Path) -> None:
    module = layout.root / PACKAGING_TOOLS.module
    module.mkdir()
    (module / "go.mod").write_text("module y\n")
    (module / "go.sum").write_text("")
    make = " ".join(f'"$out/{name}"' for name in PACKAGING_TOOLS.programs)
    last = 'for out; do :; done; while [ "$1" != -o ]; do shift; done; out="$2"'
    fake_go(go, build=f"{last}; touch {make}; chmod 755 {make}; pwd > {go}.folder; set -- -o $out")
    environ = {"PATH": f"{go.parent}:/usr/bin:/bin"}
    out = io.StringIO()
    for _ in range(2):
        folder = provide_tools(PACKAGING_TOOLS, layout, environ, Progress(out))
    assert folder == layout.cache / "packaging-tools"
    assert out.getvalue().count("building the packaging tools (helm, kubeconform)") == 1
    assert Path(f"{go}.folder").read_text().strip() == str(module)
    assert not (layout.cache / "bin").exists()
    # A changed tool of the one does not build the other again.
    (module / "go.sum").write_text("// changed\n")
    run(layout, go)
    run(layout, go)
    assert len(builds(go)) == 2
    provide_tools(PACKAGING_TOOLS, layout, environ, Progress(out))
    assert len(builds(go)) == 3


def test_a_program_of_our_own_is_built_again_when_its_source_changes(
    layout: ProjectLayout, go: Path
) -> None:
    module = layout.root / PEER_CONTROLLER.module
    module.mkdir(parents=True)
    for name in ("go.mod", "go.sum", "main.go"):
        (module / name).write_text(f"// {name}\n")
    last = 'for word; do package="$word"; done; echo "$package" >> ' + f"{go}.packages"
    made = '"$7/controller_runtime"'
    fake_go(go, build=f"{last}; echo > {made}; chmod 755 {made}")
    environ = {"PATH": f"{go.parent}:/usr/bin:/bin"}
    for text in ("// main.go\n", "// main.go\n", "package main\n"):
        (module / "main.go").write_text(text)
        provide_tools(PEER_CONTROLLER, layout, environ, Progress(io.StringIO()))
    assert Path(f"{go}.packages").read_text() == ".\n.\n"


@pytest.mark.parametrize(
    ("tools", "module", "version"),
    [
        (CONTROL_PLANE, "k8s.io/kubernetes", KUBERNETES_VERSION),
        (PACKAGING_TOOLS, "helm.sh/helm/v4", HELM_VERSION),
        (PACKAGING_TOOLS, "github.com/yannh/kubeconform", KUBECONFORM_VERSION),
        (S3_TOOLS, "github.com/versity/versitygw", VERSITYGW_VERSION),
        # Other versions would fill the build cache twice.
        (PACKAGING_TOOLS, "k8s.io/client-go", KUBERNETES_VERSION.replace("v1.", "v0.")),
        (PEER_CONTROLLER, "k8s.io/client-go", KUBERNETES_VERSION.replace("v1.", "v0.")),
    ],
)
def test_the_versions_are_those_of_the_module(tools: Toolset, module: str, version: str) -> None:
    text = (tools.source(find_project()) / "go.mod").read_text()
    assert re.search(rf"^\t{re.escape(module)} {re.escape(version)}( |$)", text, re.MULTILINE)
