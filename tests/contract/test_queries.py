"""Every generated query is what the server says it is, under the role of the service that runs it."""

import pytest

from tests.contract.compare_query import compare_query
from tests.contract.connect_roles import Connect
from tests.contract.describe_query import explain_prepared, prepare
from tests.contract.manifests import ServiceQuery, load_queries


@pytest.mark.parametrize("query", load_queries(), ids=str)
def test_query_has_the_generated_types_and_its_role_may_run_it(query: ServiceQuery, connect: Connect) -> None:
    conn = connect(query.role)
    described = prepare(conn, query.statement_name, query.query.sql)
    try:
        assert compare_query(conn, query.query, described) == []
        explain_prepared(conn, query)
    finally:
        conn.execute(f'deallocate "{query.statement_name}"'.encode())
