"""A role may do what its queries need, and nothing else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from psycopg.errors import InsufficientPrivilege

from deploy.bootstrap_roles import PRODUCER, SERVICES, service_role
from tests.contract.connect_roles import Connect
from tests.contract.describe_query import Connection, explain_prepared, prepare
from tests.contract.grants import Grant, is_needed_by_a_default, list_columns, list_grants
from tests.contract.manifests import ServiceQuery, load_queries

# Functions that work with their caller's rights are called for real, since starting a query shows nothing of
# what they do: role → statements. Before them, the superuser makes the rows that they need.
PREPARATION = b"""
insert into pipeline (
    id, name, repository_url, repository_key, default_branch, file_path, env, sealed_webhook_secret, key_id
) values ('00000000-0000-7000-8000-000000000001', 'app', '', '', 'main', '', '{}', '', '')
"""
REQUEST_RUN = b"""
select request_run(
    '00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000003',
    '00000000-0000-7000-8000-000000000001', 'push', 'refs/heads/main', 'main', null, null, '', '', '', null,
    null, 60
)
"""
CALLS = {"howdah_ingest": [REQUEST_RUN], "howdah_scheduler": [REQUEST_RUN]}

# Granted for what no query does yet; each with why.
GRANTED_AHEAD: dict[str, str] = {}

# The producer may call the enqueue functions, and nothing else.
PRODUCER_MAY = {"enqueue", "enqueue_jobs"}

REFUSED = [
    *((service, "update audit_event set name = ''") for service in SERVICES),
    *((service, "delete from audit_event") for service in SERVICES),
    *((service, "truncate audit_event") for service in SERVICES),
    *((service, "select 1 from schema_migrations") for service in SERVICES),
    *((service, "delete from job") for service in SERVICES),
    *((service, "delete from run") for service in SERVICES),
    ("ingest", "update job set state = 'canceled'"),
    ("ingest", "update run set state = 'canceled'"),
    ("ingest", "insert into attempt (epoch) values (1)"),
    ("ingest", "insert into notification (event) values ('')"),
    ("ingest", "update command set applied_at = now()"),
    ("scheduler", "insert into log_chunk (seq) values (1)"),
    ("scheduler", "update log_chunk set data = ''"),
    ("scheduler", "insert into command (why) values ('')"),
    ("scheduler", "update notification set state = 'delivered'"),
    ("executor", "select sealed_webhook_secret from pipeline"),
    ("executor", "update job_spec set spec = '{}'"),
    ("executor", "update run set state = 'succeeded'"),
    ("executor", "update log_chunk set data = ''"),
    ("executor", "delete from log_chunk"),
    ("executor", "select 1 from channel"),
    ("notifier", "select 1 from api_token"),
    ("notifier", "select 1 from pipeline"),
    ("notifier", "update job set state = 'canceled'"),
    ("notifier", "insert into notification (event) values ('')"),
    ("notifier", "update notification set payload = '{}'"),
    ("producer", "select 1 from job"),
    ("producer", "insert into job (priority) values (0)"),
]


@pytest.mark.parametrize(("service", "statement"), REFUSED)
def test_what_is_not_granted_is_refused(service: str, statement: str, connect: Connect) -> None:
    conn = connect(service_role(service))
    with pytest.raises(InsufficientPrivilege), conn.transaction(force_rollback=True):
        conn.execute(statement.encode())


def test_nothing_is_granted_to_everybody(connect: Connect) -> None:
    assert [str(grant) for grant in list_grants(connect(None), "public")] == []


def test_producer_may_only_call_its_functions(connect: Connect) -> None:
    granted = {f"{grant.kind} {grant.word}" for grant in list_grants(connect(None), PRODUCER)}
    assert granted == {f"function {name}" for name in PRODUCER_MAY}


@pytest.mark.parametrize("service", SERVICES)
def test_every_grant_is_needed(service: str, connect: Connect) -> None:
    role = service_role(service)
    conn = connect(None)
    with prepared_queries(conn, role) as queries:
        needless = {str(grant) for grant in list_grants(conn, role) if not is_needed(conn, grant, queries)}
    assert needless == {grant for grant in GRANTED_AHEAD if grant.endswith(f" to {role}")}


@pytest.mark.parametrize(
    "grant",
    ["delete on audit_event", "update (name) on pipeline", "execute on function lane_of(job_kind, text, text, text[])"],
)
def test_needless_grant_would_be_found(grant: str, connect: Connect) -> None:
    role = service_role("notifier")
    conn = connect(None)
    with prepared_queries(conn, role) as queries, conn.transaction(force_rollback=True):
        before = list_grants(conn, role)
        conn.execute(f"grant {grant} to {role}".encode())
        (added,) = [found for found in list_grants(conn, role) if found not in before]
        assert not is_needed(conn, added, queries)


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_are_readable_only_where_a_query_reads_them(service: str, connect: Connect) -> None:
    role = service_role(service)
    conn = connect(None)
    with prepared_queries(conn, role) as queries:
        needless = [
            f"{grant.object}.{secret}"
            for grant in list_grants(conn, role)
            if grant.kind == "table" and grant.privilege == "select" and not grant.columns
            for secret in list_columns(conn, grant.object)
            if re.search(r"sealed|secret", secret)
            and not is_refused(conn, grant, queries, [grant.revocation, grant_all_but(conn, grant, secret)])
        ]
    assert needless == []


def grant_all_but(conn: Connection, grant: Grant, column: str) -> bytes:
    others = [name for name in list_columns(conn, grant.object) if name != column]
    return f"grant {grant.privilege} ({', '.join(others)}) on {grant.object} to {grant.role}".encode()


@contextmanager
def prepared_queries(conn: Connection, role: str) -> Iterator[list[ServiceQuery]]:
    """Prepare all queries of a role: grants are checked when they are started, not now."""
    queries = [query for query in load_queries() if query.role == role]
    for query in queries:
        prepare(conn, query.statement_name, query.query.sql)
    try:
        yield queries
    finally:
        conn.execute("deallocate all")


def is_needed(conn: Connection, grant: Grant, queries: list[ServiceQuery]) -> bool:
    if grant.kind == "sequence":
        return is_needed_by_a_default(conn, grant)
    return is_refused(conn, grant, queries, [grant.revocation])


def is_refused(conn: Connection, grant: Grant, queries: list[ServiceQuery], changes: list[bytes]) -> bool:
    """Change the grants for a moment; return whether anything that the role does is refused then."""
    touched = [query for query in queries if re.search(rf"\b{re.escape(grant.word)}\b", query.query.sql)]
    with conn.transaction(force_rollback=True):
        conn.execute(PREPARATION)
        for change in changes:
            conn.execute(change)
        conn.execute(f"set local role {grant.role}".encode())
        try:
            for query in touched:
                explain_prepared(conn, query)
            for call in CALLS.get(grant.role, []):
                conn.execute(call)
        except InsufficientPrivilege:
            return True
    return False
