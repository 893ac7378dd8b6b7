-- What the golden queries are about: a library that lends books.

create type loan_state as enum ('out', 'returned', 'over-due');
comment on type loan_state is 'Where a loan stands.';

create type reader_kind as enum ('child', 'adult');

create table reader (
    id uuid not null primary key,
    name text not null,
    kind reader_kind not null,
    address jsonb,
    joined_on date not null
);

create table book (
    id uuid not null primary key,
    title text not null,
    tags text[] not null,
    price numeric not null,
    cover bytea,
    details jsonb not null,
    similar_books uuid[] not null default '{}'
);

create table loan (
    book_id uuid not null references book (id),
    reader_id uuid not null references reader (id),
    state loan_state not null,
    lent_at timestamptz not null default now(),
    returned_at timestamptz,
    note text,
    primary key (book_id, reader_id, lent_at)
);
