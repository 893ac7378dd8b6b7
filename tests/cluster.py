"""Real services, as processes, against a test's database; and a real repository that they build."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

from deploy.embedded.repository import git, make_bare_repository, make_clone
from deploy.embedded.stack import ServiceProcess
from shared.ids import ChannelId, JobId, PipelineId, RunId, new_id
from shared.sealed_values import channel_secret_of, channel_url_of, webhook_secret_of
from shared.sealing import Sealer, generate_key, parse_keys

SEALING_KEY = f"k1:{generate_key()}"
WEBHOOK_SECRET = "a secret for tests"

# Ten times as fast as in production, so that losses are noticed within a test's patience.
FAST_LEASE = {"HOWDAH_BEAT_SECONDS": "0.2", "HOWDAH_LEASE_SECONDS": "1.5"}

_PATIENCE_SECONDS = 60.0


class HasDsn(Protocol):
    """A database that services can be pointed at."""

    def dsn(self, role: str | None = None) -> str:
        """Return the connection URI of a role, or of the superuser."""


class Cluster:
    """Some services of each kind, that a test starts, kills and starts again."""

    def __init__(self, database: HasDsn, folder: Path, settings: dict[str, str]) -> None:
        self.database = database
        self.folder = folder
        self._settings = settings
        self._started: list[ServiceProcess] = []

    def start(self, service: str, *, dsn: str | None = None, **settings: str) -> ServiceProcess:
        """Start one process of a service, with a state directory of its own."""
        number = len(self._started)
        environment = {"HOWDAH_LOG_LEVEL": "info", **self._settings}
        if service == "executor":
            environment["HOWDAH_STATE_DIRECTORY"] = str(self.folder / f"executor-{number}")
            if os.geteuid() == 0:
                environment["HOWDAH_RUN_AS"] = "nobody"
        process = ServiceProcess(
            name=service,
            settings={**environment, **{f"HOWDAH_{name.upper()}": value for name, value in settings.items()}},
            secret_settings={
                "HOWDAH_DATABASE_URL": dsn or self.database.dsn(service),
                "HOWDAH_SEALING_KEYS": SEALING_KEY,
            },
            log=self.folder / f"{service}-{number}.log",
        )
        process.start()
        self._started.append(process)
        return process

    def add_channel(self, url: str, *events: str) -> None:
        """Have these events of all pipelines sent to a target."""
        channel_id = ChannelId(new_id())
        sealer = Sealer(parse_keys([SEALING_KEY]))
        self.sql(
            """
            insert into channel (id, name, kind, events, sealed_url, sealed_secret, key_id)
            values (%s, 'target', 'webhook', %s, %s, %s, 'k1')
            """,
            channel_id,
            list(events),
            sealer.seal(url.encode(), purpose=channel_url_of(channel_id)),
            sealer.seal(WEBHOOK_SECRET.encode(), purpose=channel_secret_of(channel_id)),
        )

    def stop_all(self) -> None:
        """Ask everything to end; kill what does not."""
        for process in self._started:
            if process.process is not None and process.process.poll() is None:
                process.process.send_signal(signal.SIGCONT)
                process.stop()

    def logs(self) -> str:
        """Return the ends of all logs, for a failed test's report."""
        return "\n".join(f"--- {process.log.name}\n{process.last_words()}" for process in self._started)

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run one statement as superuser; returns its rows."""
        with psycopg.connect(self.database.dsn(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), arguments)
            return cursor.fetchall() if cursor.description else []

    def wait_until(self, what: str, holds: Callable[[], bool], *, seconds: float = _PATIENCE_SECONDS) -> None:
        """Return as soon as `holds()`; looks at every event that the services record. Fails after `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                with psycopg.connect(self.database.dsn(), autocommit=True) as ears:
                    ears.execute("listen event_recorded")
                    while not holds():
                        if time.monotonic() > deadline:
                            break
                        for _ in ears.notifies(timeout=0.1, stop_after=1):
                            pass
                    else:
                        return
            except psycopg.OperationalError:
                continue  # the test has taken the database away
        raise AssertionError(f"waited {seconds:.0f} s in vain until {what}\n{self.logs()}")

    def add_pipeline(self, files: dict[str, str], name: str = "app") -> "PushedPipeline":
        """Make a repository with these files, pushed, and a pipeline of it."""
        bare, clone = self.folder / f"{name}.git", self.folder / f"{name}-clone"
        make_bare_repository(bare)
        make_clone(clone, origin=bare, files=files, message="first")
        git("push", "--quiet", "origin", "main", cwd=clone)
        pipeline_id = PipelineId(new_id())
        sealer = Sealer(parse_keys([SEALING_KEY]))
        self.sql(
            """
            insert into pipeline (
                id, name, repository_url, repository_key, default_branch, file_path, env, sealed_webhook_secret, key_id
            ) values (%s, %s, %s, %s, 'main', '.howdah.yml', '{}', %s, 'k1')
            """,
            pipeline_id,
            name,
            bare.as_uri(),
            name,
            sealer.seal(WEBHOOK_SECRET.encode(), purpose=webhook_secret_of(pipeline_id)),
        )
        return PushedPipeline(self, pipeline_id, clone)


class PushedPipeline:
    """A pipeline with a repository of its own."""

    def __init__(self, cluster: Cluster, pipeline_id: PipelineId, clone: Path) -> None:
        self._cluster = cluster
        self.pipeline_id = pipeline_id
        self.clone = clone

    def request_run(self) -> RunId:
        """Request a run of the newest commit, as ingest does."""
        commit = git("rev-parse", "HEAD", cwd=self.clone).strip()
        run_id = RunId(new_id())
        self._cluster.sql(
            """
            select request_run(
                %s, %s, %s, 'push', 'refs/heads/main', 'main', %s, null, 'a title', 'somebody', 'test', null, null, 60
            )
            """,
            run_id,
            JobId(new_id()),
            self.pipeline_id,
            commit,
        )
        return run_id

    def run_state(self, run_id: RunId) -> str:
        """Return the run's state."""
        ((state,),) = self._cluster.sql("select state::text from run where id = %s", run_id)
        return str(state)

    def await_end(self, run_id: RunId, *, seconds: float = _PATIENCE_SECONDS) -> str:
        """Wait for the run's end; returns its state."""
        ended = "select 1 from run where id = %s and finished_at is not null"
        self._cluster.wait_until("the run has ended", lambda: bool(self._cluster.sql(ended, run_id)), seconds=seconds)
        return self.run_state(run_id)

    def await_job(self, run_id: RunId, key: str, state: str) -> None:
        """Wait until a job is in a state."""
        self._cluster.wait_until(f"job {key} is {state}", lambda: self.job(run_id, key)["state"] == state)

    def job(self, run_id: RunId, key: str) -> dict[str, Any]:
        """Return what tests look at of a job; empty values before it is planned."""
        rows = self._cluster.sql(
            """
            select j.id, j.state::text, j.reason, j.claim_epoch, j.losses, j.attempts_used
            from job j join job_spec s on s.job_id = j.id where j.run_id = %s and s.key = %s
            """,
            run_id,
            key,
        )
        names = ("id", "state", "reason", "claim_epoch", "losses", "attempts_used")
        return dict(zip(names, rows[0] if rows else [None] * len(names), strict=True))

    def log(self, run_id: RunId, key: str, *, stream: int = 1) -> str:
        """Return what the newest attempt of a job wrote to one stream."""
        rows = self._cluster.sql(
            """
            select c.data from log_chunk c
            join job j on j.id = c.job_id and j.claim_epoch = c.epoch
            join job_spec s on s.job_id = j.id
            where j.run_id = %s and s.key = %s and c.stream = %s order by c.seq
            """,
            run_id,
            key,
            stream,
        )
        return b"".join(bytes(data) for (data,) in rows).decode()


@contextmanager
def run_cluster(database: HasDsn, settings: dict[str, str] | None = None) -> Iterator[Cluster]:
    """Give a cluster without services yet; end whatever was started, and remove its folder."""
    folder = Path(tempfile.mkdtemp(prefix="howdah-test-cluster-"))
    folder.chmod(0o755)
    cluster = Cluster(database, folder, settings or {})
    try:
        yield cluster
    finally:
        cluster.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def executor_child(process: ServiceProcess) -> int:
    """Return the process id of the executor itself: the child of the reaper, which is what was started."""
    assert process.process is not None
    children = Path(f"/proc/{process.process.pid}/task/{process.process.pid}/children").read_text().split()
    assert len(children) == 1, children
    return int(children[0])
