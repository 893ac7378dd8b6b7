"""Generated functions carry values to the server and back unchanged: enums, ids, JSON, arrays, nulls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.types.enum import EnumInfo, register_enum

from tests.contract.connect_roles import Connect
from tests.database import Server
from tests.unit.codegen.golden.blocking_library import books as blocking_books
from tests.unit.codegen.golden.blocking_library import readers as blocking_readers
from tests.unit.codegen.golden.library import books, loans, readers
from tests.unit.codegen.golden.shared import notes
from tests.unit.codegen.golden.shared.models import ENUMS, LoanState, ReaderAge
from tests.unit.codegen.payloads import Address, BookId, Details, ReaderId

SCHEMA = Path(__file__).parents[1] / "unit" / "codegen" / "schema.sql"
BOOK = BookId(UUID(int=1))
OTHER = BookId(UUID(int=2))
READER = ReaderId(UUID(int=3))
NOBODY = ReaderId(UUID(int=4))

Library = AsyncConnection[Any]


@asynccontextmanager
async def open_library(dsn: str) -> AsyncIterator[Library]:
    """A connection to the golden schema, made in a transaction that is never committed."""
    async with await AsyncConnection.connect(dsn, options="-c timezone=UTC") as conn:
        await conn.execute("create schema library; set local search_path = library")
        await conn.execute(SCHEMA.read_bytes())
        for name, python_type in ENUMS:
            info = await EnumInfo.fetch(conn, name)
            assert info is not None
            register_enum(info, conn, python_type, mapping={member: member.value for member in python_type})
        yield conn
        await conn.rollback()


@pytest.fixture
async def library(connect: Connect, server: Server) -> AsyncIterator[Library]:
    async with open_library(server.postgres.dsn(connect(None).info.dbname)) as conn:
        await books.add_books(conn, book_ids=[BOOK], titles=["Emma"], details=[Details(pages=300)])
        yield conn


async def enter_reader(conn: Library, address: Address | None) -> None:
    await readers.enter_reader(
        conn,
        reader_id=READER,
        name="Ada",
        kind=ReaderAge.ADULT,
        address=address,
        joined_on=date(2026, 1, 2),
    )


async def lend(conn: Library, note: str | None) -> loans.LendBookRow:
    return await loans.lend_book(conn, book_id=BOOK, reader_id=READER, state=LoanState.OUT, note=note)


async def test_set_of_rows_is_one_statement_and_counts_what_it_did(library: Library) -> None:
    both = [Details(pages=1), Details(pages=2)]
    added = await books.add_books(library, book_ids=[BOOK, OTHER], titles=["x", "Lear"], details=both)
    assert added == 1
    assert await books.list_titles(library) == ["Emma", "Lear"]
    assert await books.list_details(library) == [Details(pages=300), Details(pages=2)]


async def test_row_has_python_types(library: Library) -> None:
    book = await books.get_book(library, book_id=BOOK)
    assert book is not None
    assert (book.price, book.cover, book.tags, book.similar_books) == (Decimal(0), None, [], [])
    assert book.details == Details(pages=300)
    assert await books.list_books(library, tag="a", all_tags=["a"]) == []


async def test_null_parameter_is_sql_null(library: Library) -> None:
    await books.set_cover(library, cover=b"\x00\xff", book_id=BOOK)
    book = await books.get_book(library, book_id=BOOK)
    assert book is not None
    assert book.cover == b"\x00\xff"
    await books.set_cover(library, cover=None, book_id=BOOK)
    book = await books.get_book(library, book_id=BOOK)
    assert book is not None
    assert book.cover is None


@pytest.mark.parametrize("address", [None, Address(town="Paris")])
async def test_typed_json_and_null_come_back_as_they_went(address: Address | None, library: Library) -> None:
    await enter_reader(library, address)
    reader = await readers.read_reader(library, reader_id=READER)
    assert reader == readers.ReadReaderRow(READER, ReaderAge.ADULT, address, {"name": "Ada"}, date(2026, 1, 2))
    assert await readers.read_address(library, reader_id=READER) == address
    cur = await library.execute("select address is null from reader")
    assert await cur.fetchone() == (address is None,)


async def test_missing_row_is_none_or_lookup_error(library: Library) -> None:
    assert await books.get_book(library, book_id=OTHER) is None
    assert await books.read_details(library, book_id=OTHER) is None
    with pytest.raises(LookupError, match="ReadReader found no row"):
        await readers.read_reader(library, reader_id=NOBODY)
    with pytest.raises(LookupError, match="ReadAddress found no row"):
        await readers.read_address(library, reader_id=NOBODY)


async def test_null_in_a_required_row_is_no_missing_row(library: Library) -> None:
    assert await loans.read_latest_return(library) is None


async def test_enums_and_arrays_of_them_are_read_and_written(library: Library) -> None:
    await enter_reader(library, None)
    lent = await lend(library, note=None)
    assert lent.state is LoanState.OUT
    assert await loans.find_loan_state(library, book_id=BOOK) is LoanState.OUT
    states = [LoanState.OUT, LoanState.OVER_DUE]
    returned = await loans.return_books(library, returned_book_ids=[BOOK], states=states)
    assert returned == [loans.ReturnBooksRow(BOOK, READER)]
    assert await notes.count_loans(library, state=LoanState.RETURNED) == 1
    (row,) = await loans.list_returns(library, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert (row.note, row.reader_name, row.reader_address) == (None, "Ada", None)
    assert await loans.forget_returns(library) == 1


def test_functions_that_block_do_the_same(connect: Connect, server: Server) -> None:
    dsn = server.postgres.dsn(connect(None).info.dbname)
    with psycopg.connect(dsn, options="-c timezone=UTC") as conn:
        conn.execute("create schema library; set local search_path = library")
        conn.execute(SCHEMA.read_bytes())
        details = [Details(pages=300), Details(pages=1)]
        assert blocking_books.add_books(conn, book_ids=[BOOK, OTHER], titles=["Emma", "Lear"], details=details) == 2
        assert blocking_books.list_titles(conn) == ["Emma", "Lear"]
        blocking_books.set_cover(conn, cover=b"\x00", book_id=BOOK)
        book = blocking_books.get_book(conn, book_id=BOOK)
        assert book is not None
        assert (book.cover, book.details) == (b"\x00", Details(pages=300))
        with pytest.raises(LookupError, match="ReadReader found no row"):
            blocking_readers.read_reader(conn, reader_id=NOBODY)
        conn.rollback()
