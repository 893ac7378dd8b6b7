"""From `docker-compose up` to a succeeded run, and what the images promise."""

import json

import pytest

from tests.containers.compose import Compose, EngineError, inspect, run
from tests.containers.world import World

pytestmark = pytest.mark.docker

SERVICES = ("ingest", "scheduler", "executor", "notifier")

# What some services need, and no other has, however small the convenience.
OWN_PACKAGES = {
    "litestar": {"ingest"},
    "yaml": {"executor"},
    "jmespath": {"executor"},
    "cronsim": {"ingest", "scheduler"},
    "httpcore": {"executor", "notifier"},
}


def test_a_push_becomes_a_succeeded_run_and_a_notification(world: World) -> None:
    events = ["run.succeeded", "run.failed"]
    channel = world.post(
        "/api/v1/channels", {"name": "target", "kind": "webhook", "url": world.target.url, "events": events}
    )
    run_id = world.push("app", "  build: {run: 'id -u; git --version'}\n  test: {needs: [build], run: 'echo tested'}\n")
    assert world.await_end(run_id) == "succeeded"
    assert world.log(run_id, "build").startswith("10001\ngit version ")
    assert world.log(run_id, "test") == "tested\n"
    received = world.target.received.get(timeout=30)
    assert received.is_signed_with(channel["secret"])
    assert json.loads(received.body)["type"] == "run.succeeded"


def test_two_executors_are_there(compose: Compose) -> None:
    assert compose.sql("select count(*) from executor where state = 'active'") == "2"


def test_a_command_cannot_read_the_secrets_of_its_executor(world: World) -> None:
    # Of the executor and its reaper, and of the processes that run handlers: MALLOC_ARENA_MAX is theirs alone.
    secrets = "-e DATABASE_URL -e SEALING_KEYS -e MALLOC_ARENA_MAX"
    look = f"cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -ac {secrets} || true"
    run_id = world.push(
        "curious", f"  look:\n    run: |\n      cat /proc/1/environ 2>&1 || echo denied\n      {look}\n"
    )
    assert world.await_end(run_id) == "succeeded"
    assert world.log(run_id, "look").splitlines()[-2:] == ["denied", "0"]


def test_a_job_of_a_killed_container_runs_again_in_the_other(world: World) -> None:
    run_id = world.push("long", "  wait: {run: 'cat /etc/hostname; test $HOWDAH_ATTEMPT != 1 || sleep 1000'}\n")
    world.compose.wait_until("the job runs", lambda: world.log(run_id, "wait") != "")
    host = world.log(run_id, "wait").strip()
    run("docker", "kill", host)
    assert world.await_end(run_id) == "succeeded"
    assert world.log(run_id, "wait").strip() != host
    run("docker", "start", host)


@pytest.mark.parametrize("service", SERVICES)
def test_the_service_itself_is_the_first_process_and_is_not_root(compose: Compose, service: str) -> None:
    for container in compose.containers(service):
        seen = run("docker", "exec", container, "sh", "-c", "id -u; tr '\\0' ' ' < /proc/1/cmdline")
        assert seen == f"10001\npython -m services.{service} "


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_what_its_service_needs_and_no_more(compose: Compose, service: str) -> None:
    container = compose.containers(service)[0]
    assert set(run("docker", "exec", container, "ls", "services").split()) == {"__init__.py", "__pycache__", service}
    for package, owners in OWN_PACKAGES.items():
        find = f"import importlib.util as u; print(u.find_spec({package!r}) is not None)"
        found = run("docker", "exec", container, "python", "-c", find).strip() == "True"
        if service in owners:
            assert found, package
        elif service != "ingest":  # litestar brings much along
            assert not found, package
    with pytest.raises(EngineError):
        run("docker", "exec", container, "pip", "--version")


def test_setting_up_again_changes_nothing(compose: Compose) -> None:
    before = compose.sql("select count(*), max(version) from schema_migrations")
    assert "up to date" in compose("run", "--rm", "migrate")
    assert compose.sql("select count(*), max(version) from schema_migrations") == before


def health(compose: Compose, service: str) -> bool:
    """Run the health check of a service's image now."""
    (container,) = compose.containers(service)
    command = json.loads(inspect(container, "{{json .Config.Healthcheck.Test}}"))[1:]
    try:
        run("docker", "exec", container, *command)
    except EngineError:
        return False
    return True


def test_health_asks_the_database_and_all_go_on_when_it_is_back(world: World) -> None:
    compose = world.compose
    checked = ("ingest", "scheduler", "notifier")
    compose.wait_until("all are healthy", lambda: all(health(compose, service) for service in checked))
    compose("stop", "postgres")
    assert not any(health(compose, service) for service in checked)
    compose("start", "postgres")
    compose.wait_until("all are healthy again", lambda: all(health(compose, service) for service in checked))
    assert world.await_end(world.push("after", "  a: {run: 'true'}\n")) == "succeeded"
