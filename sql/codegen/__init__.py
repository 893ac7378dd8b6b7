"""The sqlc process plugin: turns type-checked SQL into psycopg 3 async functions and msgspec Structs.

sqlc runs the executable `sqlc-gen-howdah` beside this file, which reads a request and writes files as JSON
(protocol: https://docs.sqlc.dev/en/latest/guides/plugins.html). The steps, a module each:
request and options → checked queries (`check_query`) → shared rows (`share_rows`) → `render_*`, `manifest`.
"""
