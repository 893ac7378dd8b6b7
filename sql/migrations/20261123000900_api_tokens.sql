-- migrate:up

create type token_role as enum ('viewer', 'developer', 'admin');

create table api_token (
    id uuid not null primary key,
    name text not null,
    role token_role not null,
    -- SHA-256 of the secret part, which is random and long: no slow hash is needed.
    secret_hash bytea not null,
    created_by text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
);

-- migrate:down

drop table api_token;
drop type token_role;
