"""A dump taken while work goes on restores into a database that goes on with that work."""

import os
import subprocess
from pathlib import Path
from typing import cast

import psycopg
from psycopg import sql

from deploy.bootstrap_roles import create_database
from deploy.embedded.postgres import ServerVersion, binaries
from tests.database import Server, TestDatabase
from tests.engine import SUCCEEDED, Engine, open_engine


def run_tool(name: str, *arguments: str) -> None:
    version = cast("ServerVersion", os.environ.get("HOWDAH_TEST_POSTGRES", "18"))
    done = subprocess.run([binaries(version) / name, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_a_restored_database_goes_on_with_its_work(server: Server, engine: Engine, tmp_path: Path) -> None:
    run_id, ids = await engine.start_run({"a": [], "b": []})
    executor = await engine.add_executor()
    first, second = await engine.claim(executor)
    await engine.finish(executor, first, SUCCEEDED)
    dump = tmp_path / "howdah.dump"
    run_tool("pg_dump", "--format=custom", f"--file={dump}", engine.database.dsn())
    name = f"restored_{engine.database.name}"
    try:
        with psycopg.connect(server.postgres.dsn(), autocommit=True) as admin:
            create_database(admin, name)
        restored = TestDatabase(server, name)
        run_tool("pg_restore", "--exit-on-error", f"--dbname={restored.dsn()}", str(dump))
        async with open_engine(restored) as again:
            # What ran goes on under its epoch, or is taken away when its executor stays silent.
            assert again.job(ids["a"]).state == "succeeded"
            assert await again.finish(executor, second, SUCCEEDED) == "succeeded"
            assert again.sql("select state::text from run where id = %s", run_id) == [("running",)]
            # Partitions are there as they were: as many are lacking, none or those of a day that has just begun.
            lacking = "select make_log_partitions(7)"
            assert again.sql(lacking) == engine.sql(lacking)
    finally:
        with psycopg.connect(server.postgres.dsn(), autocommit=True) as admin:
            admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
