"""The kinds of values that fields take. The loader reads by them and the JSON Schema is made from them."""

from typing import Final

import msgspec


class Text(msgspec.Struct, frozen=True):
    """A scalar, taken as it was written.

    `verbatim`: anything goes, several lines and `${…}` too. Otherwise it is one printable line.
    """

    max_bytes: int
    verbatim: bool = False
    may_be_empty: bool = False


class Duration(msgspec.Struct, frozen=True):
    """Hours, minutes and seconds such as `1h30m`; read as seconds."""

    max_seconds: int


class Choice(msgspec.Struct, frozen=True):
    """One of `values`; `later` are those that a later version will take."""

    values: tuple[str, ...]
    later: tuple[str, ...] = ()


class BranchPattern(msgspec.Struct, frozen=True):
    """A glob for branch names."""

    max_characters: int


class JobReference(msgspec.Struct, frozen=True):
    """The key of another job."""


class JobType(msgspec.Struct, frozen=True):
    """The type of a job, which names its handler."""


class JsonValue(msgspec.Struct, frozen=True):
    """Any value that JSON has, typed as YAML 1.2's core schema does; `max_bytes` of JSON."""

    max_bytes: int


class OneOrMany(msgspec.Struct, frozen=True):
    """A value or a list of distinct values; read as a list."""

    element: "Kind"
    max_elements: int


class ListOf(msgspec.Struct, frozen=True):
    """A list."""

    element: "Kind"
    max_elements: int


class KeyRule(msgspec.Struct, frozen=True):
    """What the keys of a mapping must look like, and which are taken. `noun` says what they name."""

    noun: str
    pattern: str
    reserved: tuple[str, ...] = ()
    reserved_prefix: str | None = None


class MapOf(msgspec.Struct, frozen=True):
    """A mapping whose keys the file chooses. `max_bytes` limits text values together with their keys."""

    key: KeyRule
    value: "Kind"
    max_entries: int
    max_bytes: int | None = None
    may_be_empty: bool = False


class Field(msgspec.Struct, frozen=True):
    """A key that a section takes."""

    key: str
    kind: "Kind"
    description: str
    required: bool = False


class Section(msgspec.Struct, frozen=True):
    """A mapping with fixed keys.

    `later`: keys of the design that are not supported yet. `other_names`: what other systems call our keys.
    `exactly_one`: of these keys, one must be there and no second. `only_with`: keys that make sense only beside one of
    others.
    """

    title: str
    fields: tuple[Field, ...]
    later: tuple[str, ...] = ()
    other_names: tuple[tuple[str, str], ...] = ()
    exactly_one: tuple[str, ...] = ()
    only_with: tuple[tuple[str, tuple[str, ...]], ...] = ()
    may_be_empty: bool = False


class Events(msgspec.Struct, frozen=True):
    """Names of events, or a section with a key for each; read as the section."""

    name: Choice
    section: Section


Scalar = Text | Duration | Choice | BranchPattern | JobReference | JobType
Kind = Scalar | JsonValue | OneOrMany | ListOf | MapOf | Section | Events

DURATION_PATTERN: Final = "(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,5})s)?"
