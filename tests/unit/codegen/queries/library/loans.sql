-- name: LendBook :one
-- Neither of the values needs a cast: they take their types from the columns.
-- @required
insert into loan (book_id, reader_id, state, note)
values (@book_id, @reader_id, @state, @note)
returning lent_at, state;

-- name: ReturnBooks :many
-- out → returned. Locks: the loans.
update loan l
set
    state = 'returned',
    returned_at = now()
where l.book_id = any(@returned_book_ids::uuid[])
    and l.state = any(@states::loan_state[])
returning l.book_id, l.reader_id;

-- name: ListReturns :many
-- `returned_at` is never null here, though the column may be; `reader_address` may be, though sqlc thinks not.
-- @notnull returned_at
-- @nullable reader_name reader_address
-- @json reader_address tests.unit.codegen.payloads:Address
select
    l.book_id,
    l.returned_at,
    l.note,
    d.name as reader_name,
    (d.address)::jsonb as reader_address
from loan l
left join lateral (select r.name, r.address from reader r where r.id = l.reader_id) d on true
where l.returned_at is not null
    and (sqlc.narg('since')::timestamptz is null or l.returned_at >= sqlc.narg('since')::timestamptz);

-- name: ReadLatestReturn :one
-- Null when there was none yet.
-- @required
-- @nullable latest
select max(l.returned_at)::timestamptz as latest from loan l;

-- name: FindLoanState :one
select l.state from loan l where l.book_id = @book_id::uuid limit 1;

-- name: ForgetReturns :execrows
delete from loan l where l.state = 'returned';

-- name: LockLoans :exec
lock table loan in share mode;

-- name: ForgetLoans :execrows
-- A list as the text of an array.
-- @arraytext book_ids
delete from loan l where l.book_id = any(@book_ids::uuid[]);
