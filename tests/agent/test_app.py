"""Every call of the surface: answers, proofs, refusals, hostile input."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hydracore_agent import http, pollkeys
from hydracore_agent.health.result import DEGRADED, UNHEALTHY, CheckResult
from hydracore_agent.keys import public_key
from tests.agent.support.keys import INSTANCE, kid
from tests.agent.support.surface import Bench
from tests.agent.support.world import NEW, OLD, TASK


@pytest_asyncio.fixture
async def bench(world) -> AsyncIterator[Bench]:
    made = Bench(world)
    yield made
    await made.runner.close()


PATHS = [
    ("GET", "/api/status"),
    ("GET", "/api/health/deep"),
    ("POST", "/api/orders"),
    ("GET", f"/api/orders/{TASK}"),
    ("POST", f"/api/orders/{TASK}/abort"),
    ("POST", "/api/actions/power-cycle"),
    ("GET", f"/api/actions/{TASK}"),
    ("POST", f"/api/actions/{TASK}/settle"),
    ("POST", "/api/updates/apply"),
    ("POST", "/api/chat"),
]


WITH_BODY = [
    "/api/orders",
    f"/api/orders/{TASK}/abort",
    "/api/actions/power-cycle",
    f"/api/actions/{TASK}/settle",
    "/api/updates/apply",
    "/api/chat",
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_strangers_get_401_without_a_proof(bench, method, path) -> None:
    answer = await bench.call(method, path, {}, token=bench.token(aud=str(uuid.uuid4())))
    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert "X-Hydracore-Proof" not in answer.headers
    assert bench.left == 0


async def test_status_tells_all_and_proves_it(bench) -> None:
    jti = str(uuid.uuid4())
    answer = await bench.call("GET", "/api/status", token=bench.token(jti=jti))
    status = answer.json()
    assert bench.proof(answer)["nonce"] == jti
    assert set(status) == {
        "instanceId", "slug", "version", "bundleHash", "healthy", "healthStatus", "startedAt",
        "uptimeSeconds", "pid", "onTrial", "epoch", "capabilities", "activeConnections",
        "skillsLoaded", "nodeVersion", "components", "previousBundleHash", "task",
    }  # fmt: skip
    assert (status["instanceId"], status["bundleHash"]) == (INSTANCE, OLD)
    assert (status["version"], status["healthy"]) == ("1.0.0", True)
    assert status["capabilities"]["silent"] is True
    assert status["skillsLoaded"] == ["shout"]
    assert status["activeConnections"] == 3


@pytest.mark.parametrize(
    ("health", "code", "healthy"), [(DEGRADED, 200, True), (UNHEALTHY, 503, False)]
)
async def test_health_is_what_the_checks_say(bench, health, code, healthy) -> None:
    bench.check = CheckResult(health, "a reason")
    assert (await bench.call("GET", "/healthz", token="none")).status_code == code
    status = (await bench.call("GET", "/api/status")).json()
    assert (status["healthStatus"], status["healthy"]) == (health, healthy)
    answer = await bench.call("GET", "/api/health/deep")
    deep = answer.json()
    bench.proof(answer)
    assert deep["status"] == health
    assert deep["subsystems"]["part"]["message"] == "a reason"
    assert deep["subsystems"]["part"]["latencyMs"] >= 0


async def test_an_order_is_accepted_shown_and_aborted(bench) -> None:
    order = bench.order(jti=TASK)
    accepted = await bench.call("POST", "/api/orders", {"order": order})
    assert accepted.status_code == 202
    bench.proof(accepted)
    report = accepted.json()
    assert set(report) == {
        "taskId", "state", "final", "sha256", "version", "message", "startedAt", "finishedAt",
        "bytesDone", "bytesTotal", "runningHash",
    }  # fmt: skip
    assert (report["taskId"], report["sha256"], report["runningHash"]) == (TASK, NEW, OLD)
    assert (await bench.call("POST", "/api/orders", {"order": order})).status_code == 200
    assert (await bench.call("GET", f"/api/orders/{TASK}")).status_code == 200
    stale = await bench.call("POST", f"/api/orders/{TASK}/abort", {"epoch": 0})
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_epoch")
    aborted = await bench.call("POST", f"/api/orders/{TASK}/abort", {"epoch": 1})
    assert (aborted.json()["state"], aborted.json()["final"]) == ("aborted", True)


async def test_orders_are_refused_with_a_code_and_a_proof(bench) -> None:
    now = int(bench.world.clock.monotonic())
    await bench.call("POST", "/api/orders", {"order": bench.order(epoch=5)})
    for change, code, status in [
        ({"epoch": 4}, "stale_epoch", 409),
        ({"epoch": 5}, "busy", 409),
        ({"epoch": 6, "exp": now}, "expired", 410),
        ({"epoch": 6, "aud": "someone"}, "invalid_order", 400),
    ]:
        answer = await bench.call("POST", "/api/orders", {"order": bench.order(**change)})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        bench.proof(answer)


@pytest.mark.parametrize(
    "task_id", ["8f17cbf8-b49b-41c7-b917-3e883406e7ae", "x", "%2e%2e%2fetc", "a" * 3000]
)
async def test_an_unknown_task(bench, task_id) -> None:
    answer = await bench.call("GET", f"/api/orders/{task_id}")
    assert answer.status_code == 404


async def test_an_abort_of_an_unknown_task_holds_for_its_order(bench) -> None:
    answer = await bench.call("POST", f"/api/orders/{TASK}/abort", {"epoch": 1})
    report = answer.json()
    assert (report["state"], report["sha256"], report["version"]) == ("aborted", None, None)
    late = await bench.call("POST", "/api/orders", {"order": bench.order(jti=TASK)})
    assert (late.status_code, late.json()["state"]) == (200, "aborted")


@pytest.mark.parametrize(
    "raw",
    [b"{", b"\xff\xfe", b"[]", b"null", b'"x"', b"[" * 60000, b'{"order": 1}', b"{}"],
)
@pytest.mark.parametrize("path", WITH_BODY)
async def test_bad_bodies_are_400(bench, path, raw) -> None:
    answer = await bench.call("POST", path, raw=raw)
    assert answer.status_code == 400
    assert answer.json()["message"]
    bench.proof(answer)


@pytest.mark.parametrize("path", WITH_BODY)
async def test_big_bodies_are_413(bench, path) -> None:
    answer = await bench.call("POST", path, raw=b"x" * (http.MAX_BODY + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_slow_bodies_are_408(bench, monkeypatch) -> None:
    monkeypatch.setattr(http, "BODY_SECONDS", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await bench.call("POST", "/api/chat", raw=never())
    assert answer.status_code == 408


async def test_an_unexpected_error_tells_nothing(bench, monkeypatch) -> None:
    def broken() -> None:
        raise RuntimeError("a secret path")

    monkeypatch.setattr(bench.health, "status", broken)
    answer = await bench.call("GET", "/api/status")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    bench.proof(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("DELETE", "/api/status", 405), ("GET", "/api/chat", 405)],
)
async def test_unknown_calls_are_json(bench, method, path, status) -> None:
    answer = await bench.call(method, path)
    assert answer.status_code == status
    assert answer.json()["code"]


async def test_a_poll_that_knows_the_status_is_told_that_it_still_holds(bench) -> None:
    first = await _polled(bench)
    known = {"If-None-Match": first.headers["ETag"]}
    bench.world.clock.advance(1)
    second = await _polled(bench, known)
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]
    later = await bench.call("GET", "/api/status")
    assert later.json()["uptimeSeconds"] > first.json()["uptimeSeconds"]
    with bench.world.memory.change() as memory:
        memory.raise_epoch(9)
    changed = await _polled(bench, known)
    assert (changed.status_code, changed.json()["epoch"]) == (200, 9)
    assert changed.headers["ETag"] != first.headers["ETag"]


async def test_a_signed_question_is_answered_in_full_whatever_the_caller_knows(bench) -> None:
    known = {"If-None-Match": (await _polled(bench)).headers["ETag"]}
    headers = {"Authorization": f"Bearer {bench.token()}", **known}
    answer = await bench.call("GET", "/api/status", headers=headers)
    assert (answer.status_code, answer.json()["instanceId"]) == (200, INSTANCE)
    assert bench.proof(answer)


async def test_a_question_about_an_order_waits_for_its_end(bench) -> None:
    """What is told, and proved, is how things stand at the end."""
    bench.world.remember(bench.world.task())
    jti = str(uuid.uuid4())
    asking = asyncio.create_task(_asked_until(bench, TASK, 20, token=bench.token(jti=jti)))
    await _waits(bench)
    other = await bench.call("GET", "/api/status")
    assert (other.json()["task"]["state"], asking.done()) == ("accepted", False)
    await bench.call("POST", f"/api/orders/{TASK}/abort", {"epoch": 3})
    answer = await asyncio.wait_for(asking, 5)
    assert bench.proof(answer)["nonce"] == jti
    assert (answer.json()["task"]["state"], answer.json()["epoch"]) == ("aborted", 3)


async def test_a_process_that_leaves_lets_go_of_questions(bench) -> None:
    bench.world.remember(bench.world.task())
    asking = asyncio.create_task(_asked_until(bench, TASK, 20))
    await _waits(bench)
    bench.long_polls.close()
    answer = await asyncio.wait_for(asking, 5)
    assert answer.json()["task"]["final"] is False


@pytest.mark.parametrize(
    "query",
    [
        f"until={TASK}",
        "wait=5",
        "until=x&wait=5",
        f"until=&until={TASK}x&wait=5",
        *(
            f"until={TASK}&wait={wait}"
            for wait in ["", "0", "0.0", "-1", "20.01", "1e1", "nan", "inf", "%D9%A3", "5 "]
        ),
    ],
)
async def test_a_question_that_waits_for_nonsense_is_refused(bench, query) -> None:
    bench.world.remember(bench.world.task())
    answer = await bench.call("GET", f"/api/status?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert answer.json()["message"]
    bench.proof(answer)


async def test_a_stranger_does_not_wait(bench) -> None:
    bench.world.remember(bench.world.task())
    token = bench.token(aud=str(uuid.uuid4()))
    answer = await asyncio.wait_for(_asked_until(bench, TASK, 20, token=token), 5)
    assert answer.status_code == 401


async def test_a_marked_poll_reads_the_status_and_nothing_else(bench) -> None:
    answer = await _polled(bench)
    assert (answer.status_code, answer.json()["instanceId"]) == (200, INSTANCE)
    headers = _poll(bench)[0]
    for method, path in PATHS[1:]:
        refused = await bench.call(method, path, {}, headers=headers)
        assert refused.status_code == 401
        assert "X-Hydracore-Proof" not in refused.headers
    assert bench.left == 0


async def _asked_until(bench, task_id, seconds, token=None):
    return await bench.call("GET", f"/api/status?until={task_id}&wait={seconds}", token=token)


async def _waits(bench) -> None:
    """Return once a question is kept waiting."""
    while not bench.long_polls.waiting:  # noqa: ASYNC110 - a number
        await asyncio.sleep(0)


def _poll(bench):
    """Return the headers of a poll, the nonce in it, and the keys of its answer."""
    signer, now = bench.world.signer, int(bench.world.clock.monotonic())
    nonce, who = "ab" * 16, kid(signer.control)
    keys = pollkeys.agree(signer.control, public_key(bench.identity.public_key), INSTANCE)
    mark = pollkeys.request_mark(keys.request, INSTANCE, who, "operator", now, nonce)
    return {"Authorization": f"Poll v2.{who}.operator.{now}.{nonce}.{mark}"}, nonce, keys


async def _polled(bench, headers=None):
    """Return the answer to a poll; its mark holds."""
    credentials, nonce, keys = _poll(bench)
    answer = await bench.call("GET", "/api/status", headers={**credentials, **(headers or {})})
    tag = answer.headers["ETag"].removeprefix('W/"').removesuffix('"')
    due = pollkeys.answer_mark(
        keys.answer, INSTANCE, nonce, answer.status_code, tag, answer.content
    )
    assert answer.headers["X-Hydracore-Proof"] == f"v2.{due}"
    return answer
