-- Queries that are refused. `says:` is what the message must say.

-- name: Embedded :many
-- says: sqlc.embed is not supported; list the columns, each with an alias
select sqlc.embed(b) from book b;

-- name: Unnamed :many
-- says: a column has no name; write (expression)::type AS name
select (1 + 1)::integer from book b;

-- name: UntypedArithmetic :many
-- says: column 'more': sqlc has no usable type for it (it says 'any'); add a cast to a declared type: (…)::type
select b.price + 1 as more from book b;

-- name: UntypedCase :many
-- says: column 'which': sqlc has no usable type for it
select case when b.price > 1 then 'a' end as which from book b;

-- name: BareCall :many
-- says: column 'books': a bare function call; write (call)::type AS books
select count(*) as books from book b;

-- name: Interval :many
-- says: column 'age': type interval is not supported: psycopg rounds months and loses infinity; write extract(epoch from …)::float8 AS …_seconds
select (now() - l.lent_at)::interval as age from loan l;

-- name: NoZone :many
-- says: column 'lent': type timestamp is not supported: it has no time zone; use timestamptz
select l.lent_at::timestamp as lent from loan l;

-- name: Inet :exec
-- says: parameter 'address': type inet is not supported: msgspec cannot encode it; write host(…)::text
update loan l set note = host(@address::inet)::text;

-- name: Duplicate :many
-- says: two columns are called 'title'; give one of them an alias
select b.title, r.name as title from book b cross join reader r;

-- name: Keyword :many
-- says: column 'class': cannot be called so: it is a Python keyword; give it another name
select b.title as class from book b;

-- name: LocalName :exec
-- says: parameter 'row': cannot be called so: generated functions use it themselves; give it another name
update book b set title = @row::text;

-- name: HiddenType :many
-- says: column 'date': cannot be called so: it hides a Python type; give it another name
select r.joined_on as date from reader r;

-- name: Uncast :many
-- says: parameter 'title' has no cast; write @title::type if it is required, sqlc.narg('title')::type if it may be null, at every use
select b.title from book b where b.title = @title;

-- name: Swallowed :many
-- says: put parameters into parentheses where they are added, subtracted … : (@name::type)
select (@most::integer - count(b.id))::integer as free from book b;

-- name: Merged :exec
-- says: sqlc has not rewritten '@note' (it does not look inside MERGE and JSON_TABLE); use ON CONFLICT, a MERGE inside a WITH, or a function
merge into loan l using book b on b.id = l.book_id when matched then update set note = @note::text;

-- name: Sliced :many
-- says: sqlc.slice is for MySQL; write = ANY(@titles::type[])
select b.title from book b where b.title in (sqlc.slice(titles));

-- name: Copied :copyfrom
-- says: :copyfrom is not supported; use :execrows with INSERT … SELECT FROM ROWS FROM (unnest(@a::type[]), …)
insert into loan (book_id, reader_id, state) values (@book_id, @reader_id, @state);

-- name: Batched :batchexec
-- says: :batchexec is not supported; write one statement over arrays: ROWS FROM (unnest(@a::type[]), …)
delete from loan l where l.book_id = @book_id::uuid;

-- name: lowerCase :exec
-- says: write the name in PascalCase: a function and a Struct are named by it
delete from loan l;

-- name: UntypedJson :many
-- says: column 'address': JSON without a Python type; write -- @json address package.module:Type (typing:Any for anything), or name its table.column in json_types in sqlc.yaml
select r.address from reader r;

-- name: BadJson :many
-- says: @json address: 'Address' is not a Python type; write package.module:Type
-- @json address Address
select r.address from reader r;

-- name: UnusedJson :many
-- says: @json name: no column or parameter of that name is JSON
-- @json name typing:Any
select r.name from reader r;

-- name: UnknownAnnotation :many
-- says: cannot read '@optional name'; the annotations are @nullable, @notnull, @required, @row, @json
-- @optional name
select r.name from reader r;

-- name: EmptyAnnotation :many
-- says: cannot read '@nullable'; write @nullable column …
-- @nullable
select r.name from reader r;

-- name: UnknownNullable :many
-- says: @nullable nam: the result has no such column
-- @nullable nam
select r.name from reader r;

-- name: UnknownNotNull :many
-- says: @notnull nam: the result has no such column
-- @notnull nam
select r.name from reader r;

-- name: Contradiction :many
-- says: column 'name' is both @nullable and @notnull; keep one
-- @notnull name
-- @nullable name
select r.name from reader r;

-- name: RequiredMany :many
-- says: @required is for :one, not for :many
-- @required
select r.name from reader r;

-- name: RowOfNothing :exec
-- says: @row is for :one and :many, not for :exec
-- @row Reader
delete from reader r;

-- name: BadRow :many
-- says: cannot read '@row reader'; write @row Name once, in PascalCase
-- @row reader
select r.name from reader r;

-- name: LateAnnotation :many
-- says: @nullable stands behind SQL, where it has no effect; give it a line of its own
select r.name -- @nullable name
from reader r;

-- name: AmbiguousNull :one
-- says: column 'note': null and no row would both be None; add -- @required if there always is a row, or return a second column
select l.note from loan l where l.book_id = @book_id::uuid;

-- name: NothingReturned :many
-- says: :many without a result; add RETURNING, or use :exec or :execrows
lock table loan in share mode;

-- name: NoArray :exec
-- says: parameter 'note': @arraytext is for arrays; write @note::text[]
-- @arraytext note
update loan l set note = @note::text;

-- name: NoSuchArray :exec
-- says: @arraytext notes: there is no such parameter
-- @arraytext notes
update loan l set note = @note::text;
