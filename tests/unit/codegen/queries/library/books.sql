-- name: GetBook :one
-- A book by its id.
-- @row Book
select b.id as book_id, b.title, b.tags, b.price, b.cover, b.details, b.similar_books
from book b
where b.id = @book_id::uuid;

-- name: ListBooks :many
-- Books that have a tag, by title; a "quoted" word and a \ stay as they are.
-- The operators <@ and @> are no parameters, nor is what stands in 'a string @like this' or -- @this.
-- @row Book
select b.id as book_id, b.title, b.tags, b.price, b.cover, b.details, b.similar_books
from book b
where b.tags @> array[@tag::text]
    and b.tags <@ @all_tags::text[]
    and b.title <> '@title \ """' -- mail@example.org
order by b.title;

-- name: AddBooks :execrows
-- Enter many books at once; there are those already.
-- @json details tests.unit.codegen.payloads:Details
insert into book (id, title, tags, price, details)
select u.id, u.title, '{}', 0, u.details
from rows from (
    unnest(@book_ids::uuid[]), unnest(@titles::text[]), unnest(@details::jsonb[])
) as u (id, title, details)
on conflict (id) do nothing;

-- name: ReadDetails :one
-- A single value is given without a Struct around it.
select b.details from book b where b.id = @book_id::uuid;

-- name: ListDetails :many
select b.details from book b;

-- name: ListTitles :many
select b.title from book b order by b.title;

-- name: SetCover :exec
-- Null takes the cover away.
update book b set cover = sqlc.narg('cover')::bytea where b.id = @book_id::uuid;
