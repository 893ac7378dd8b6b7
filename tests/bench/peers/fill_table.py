"""A deep table: one job that was added by the queue's own client, many times over."""

from typing import Final, LiteralString

import psycopg
from psycopg import sql

# What of a row may be copied: not its id, and not what the server computes.
_LIST_COLUMNS: Final = """
select attname
from pg_attribute
where attrelid = %s::regclass
    and attnum > 0
    and not attisdropped
    and attgenerated = ''
    and attidentity = ''
    and attname <> 'id'
order by attnum
"""
_COPY_ROWS: Final = """
insert into {table} ({columns})
select {columns}
from {table}
cross join generate_series(2, %s)
"""


def fill_table(connection: psycopg.Connection, table: LiteralString, jobs: int) -> None:
    """Repeat the only job of the table until there are so many; triggers fire as they do for the client."""
    names = [row[0] for row in connection.execute(_LIST_COLUMNS, [table])]
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    connection.execute(sql.SQL(_COPY_ROWS).format(table=sql.SQL(table), columns=columns), [jobs])
