"""Sealed values open under their key, for their purpose, unaltered; nothing else opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError, SealError
from shared.sealing import Sealer, generate_key, parse_keys

OLD, NEW = f"old:{generate_key()}", f"new:{generate_key()}"


@given(st.binary(max_size=2000), st.text(max_size=50))
def test_what_was_sealed_can_be_opened(value: bytes, purpose: str) -> None:
    sealer = Sealer(parse_keys([NEW]))
    sealed = sealer.seal(value, purpose=purpose)
    assert value not in sealed or len(value) < 4
    assert sealer.open(sealed, key_id="new", purpose=purpose) == value


def test_the_same_value_is_never_sealed_twice_alike() -> None:
    sealer = Sealer(parse_keys([NEW]))
    assert sealer.seal(b"x", purpose="p") != sealer.seal(b"x", purpose="p")


def test_keys_can_be_rotated() -> None:
    sealed = Sealer(parse_keys([OLD])).seal(b"value", purpose="p")
    rotated = Sealer(parse_keys([NEW, OLD]))
    assert rotated.key_id == "new"
    assert rotated.open(sealed, key_id="old", purpose="p") == b"value"


def test_another_purpose_an_unknown_key_and_an_altered_value_do_not_open() -> None:
    sealer = Sealer(parse_keys([NEW]))
    sealed = sealer.seal(b"value", purpose="p")
    with pytest.raises(SealError, match="altered"):
        sealer.open(sealed, key_id="new", purpose="q")
    with pytest.raises(SealError, match="HOWDAH_SEALING_KEYS"):
        sealer.open(sealed, key_id="old", purpose="p")
    for position in range(len(sealed)):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(SealError):
            sealer.open(bytes(altered), key_id="new", purpose="p")


@pytest.mark.parametrize("entries", [[], ["nokey"], ["a:short"], [":" + generate_key()], ["a:!!!"]])
def test_malformed_keys_are_refused_with_what_to_do(entries: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="HOWDAH_SEALING_KEYS"):
        parse_keys(entries)
