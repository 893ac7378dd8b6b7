"""`make compose-env`: complete, new, and never changing what is there."""

import re
from pathlib import Path

from deploy.embedded.stack import ROOT
from deploy.write_env import fill_in, main, variable_of
from shared.sealing import parse_keys

EXAMPLE = (ROOT / ".env.example").read_text()


def variables(text: str) -> dict[str, str]:
    return {name: line.partition("=")[2] for line in text.splitlines() if (name := variable_of(line))}


def test_every_secret_is_made_up_and_none_twice() -> None:
    made = variables(fill_in(EXAMPLE))
    secrets = [value for name, value in made.items() if name.endswith(("_PASSWORD", "_KEYS"))]
    assert len(secrets) == len(set(secrets)) == 8
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", value) for name, value in made.items() if name.endswith("_PASSWORD"))
    assert made != variables(fill_in(EXAMPLE))


def test_the_key_is_one_that_services_accept() -> None:
    assert list(parse_keys([variables(fill_in(EXAMPLE))["HOWDAH_KEYS"]])) == ["k1"]


def test_all_that_the_compose_file_demands_is_there() -> None:
    demanded = re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())
    assert demanded
    assert set(demanded) <= set(variables(fill_in(EXAMPLE)))


def test_what_is_there_is_kept_and_what_is_missing_added(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("HOWDAH_OWNER_PASSWORD=mine\nOTHER=x")
    assert main([str(file)]) == 0
    first = file.read_text()
    assert first.startswith("HOWDAH_OWNER_PASSWORD=mine\nOTHER=x\n")
    assert set(variables(first)) == {*variables(EXAMPLE), "OTHER"}
    assert main([str(file)]) == 0
    assert file.read_text() == first


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "env"
    main([str(file)])
    assert file.stat().st_mode & 0o777 == 0o600
