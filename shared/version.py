"""The version of this code: apart, because what needs only this should not load a database driver."""

from typing import Final

CODE_VERSION: Final = "0.1.0"
