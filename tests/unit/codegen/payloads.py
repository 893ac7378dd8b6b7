"""What the golden queries name as Python types."""

from typing import NewType
from uuid import UUID

from msgspec import Struct

BookId = NewType("BookId", UUID)
ReaderId = NewType("ReaderId", UUID)


class Details(Struct, frozen=True):
    pages: int


class Address(Struct, frozen=True):
    town: str
