"""The grants of a role, as the catalog has them."""

from typing import Final, Literal

from msgspec import Struct

from tests.contract.describe_query import Connection

Kind = Literal["table", "sequence", "function"]

# PUBLIC is role 0. Where nothing was granted or revoked, the default counts: anybody may execute a function.
_GRANTS: Final = """
with acl as (
    select
        case c.relkind when 'S' then 'sequence' else 'table' end as kind,
        c.oid::regclass::text as object, c.relname::text as word, '' as columns, a.grantee, a.privilege_type
    from pg_class c
    cross join lateral aclexplode(coalesce(c.relacl, acldefault(
        case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner
    ))) a
    where c.relnamespace = 'public'::regnamespace
        and c.relkind in ('r', 'p', 'v', 'm', 'S')
    union all
    select
        'table', c.oid::regclass::text, c.relname::text, ' (' || quote_ident(t.attname) || ')',
        a.grantee, a.privilege_type
    from pg_attribute t
    join pg_class c on c.oid = t.attrelid
    cross join lateral aclexplode(t.attacl) a
    where c.relnamespace = 'public'::regnamespace
    union all
    select 'function', p.oid::regprocedure::text, p.proname::text, '', a.grantee, a.privilege_type
    from pg_proc p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.pronamespace = 'public'::regnamespace
)
select acl.kind, acl.object, acl.word, acl.columns, lower(acl.privilege_type)
from acl
where acl.grantee = coalesce((select r.oid from pg_roles r where r.rolname = %(role)s), 0)
order by acl.kind desc, acl.object, acl.privilege_type, acl.columns
"""


class Grant(Struct, frozen=True):
    """One privilege on one object, or on one column of a table."""

    role: str
    kind: Kind
    object: str
    # The object's bare name, as queries call it.
    word: str
    # ` (name)`, or empty for the whole object.
    columns: str
    privilege: str

    def __str__(self) -> str:
        return f"{self.privilege}{self.columns} on {self.kind} {self.object} to {self.role}"

    @property
    def revocation(self) -> bytes:
        """The statement that takes it away."""
        return f"revoke {self.privilege}{self.columns} on {self.kind} {self.object} from {self.role}".encode()


def list_grants(conn: Connection, role: str) -> list[Grant]:
    """Return what a role, or `public`, was granted in our schema."""
    return [Grant(role, *row) for row in conn.execute(_GRANTS, {"role": role}).fetchall()]


def list_columns(conn: Connection, table: str) -> list[str]:
    """Return the names of a table's columns, quoted where they must be."""
    rows = conn.execute(
        """
        select quote_ident(attname)
        from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped
        order by attnum
        """,
        (table,),
    ).fetchall()
    return [str(name) for (name,) in rows]


def is_needed_by_a_default(conn: Connection, grant: Grant) -> bool:
    """Whether a sequence gives the default of a table that the role may insert into.

    The sequence is asked only when a row is made, so starting a query does not show it.
    """
    row = conn.execute(
        """
        select 1
        from pg_depend d
        join pg_attrdef f on f.oid = d.objid
        where d.classid = 'pg_attrdef'::regclass
            and d.refobjid = %s::regclass
            and has_any_column_privilege(%s, f.adrelid, 'insert')
        """,
        (grant.object, grant.role),
    ).fetchone()
    return row is not None
