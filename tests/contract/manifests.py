"""Every generated query, with the roles that run it."""

from pathlib import Path
from typing import Final

from msgspec import Struct

from deploy.bootstrap_roles import PRODUCER, SERVICES, service_role
from sql.codegen.manifest import ManifestQuery, read_manifest

ROOT: Final = Path(__file__).resolve().parents[2]


class ServiceQuery(Struct, frozen=True):
    """A query as one service runs it."""

    role: str
    package: str
    query: ManifestQuery

    def __str__(self) -> str:
        return f"{self.role.removeprefix('howdah_')}-{self.package}-{self.query.name}"

    @property
    def statement_name(self) -> str:
        """Name of its prepared statement: unlike any other of its role."""
        return f"{self.package}.{self.query.name}"


def _load(folder: str) -> tuple[ManifestQuery, ...]:
    return read_manifest((ROOT / folder / "manifest.json").read_bytes()).queries


def load_queries() -> list[ServiceQuery]:
    """Return the queries of each service and of producers under their roles; the shared ones under all services'."""
    shared = _load("shared/queries")
    packages = [
        (service_role(service), package, queries)
        for service in SERVICES
        for package, queries in ((service, _load(f"services/{service}/queries")), ("shared", shared))
    ]
    packages += [
        (PRODUCER, "producer", _load("shared/producer/queries")),
        (PRODUCER, "blocking-producer", _load("shared/producer/blocking_queries")),
    ]
    return [ServiceQuery(role, package, query) for role, package, queries in packages for query in queries]
