"""JSON from outside, read into a type; what is wrong with it is told by field."""

from typing import Any, TypeVar

import msgspec
from litestar import Request

from services.ingest.name_field import describe_validation
from services.ingest.problem_details import Problem

Document = TypeVar("Document")


def read_document(body: bytes, document_type: type[Document]) -> Document:
    """Decode a JSON document. Raises `Problem`: 400 for what is not JSON, 422 for a field that is missing or wrong."""
    try:
        return msgspec.json.decode(body, type=document_type)
    except msgspec.ValidationError as error:
        wrong = describe_validation(error)
        raise Problem(
            422, "bad-field", f"The field `{wrong.field}` is wrong: {wrong.message}.", errors=[wrong]
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error) from None


class JsonRequest(Request[Any, Any, Any]):
    """A request whose malformed JSON is the sender's fault, also where Litestar's own reader would call it ours."""

    async def json(self) -> Any:
        """Return the decoded body. Raises `Problem`."""
        body = await self.body()
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _not_json(error) from None


def _not_json(error: Exception) -> Problem:
    what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Problem(400, "bad-json", f"The body is not JSON: {what}.")
