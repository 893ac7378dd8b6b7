"""models.py: a StrEnum for every enum of the schema, and ENUMS, by which a connection learns them."""

import json
import re

from sql.codegen.errors import CodegenError
from sql.codegen.naming import find_name_fault
from sql.codegen.options import PythonName
from sql.codegen.render_module import Module, render_docstring
from sql.codegen.request import Enum
from sql.codegen.type_column import TypeMap


def render_models(types: TypeMap, header: str) -> str:
    """Return the text of models.py."""
    module = Module(header, "The enums of the schema.")
    module.use(PythonName("typing", "Final"), PythonName("enum", "StrEnum"))
    pairs: list[str] = []
    for enum in types.enums:
        class_name = types.enum_class(enum.name).name
        module.define(class_name, _render_enum(enum, class_name))
        pairs.append(f'    ("{enum.name}", {class_name}),')
    module.define("ENUMS", "\n".join(["ENUMS: Final[tuple[tuple[str, type[StrEnum]], ...]] = (", *pairs, ")"]))
    return module.render()


def _render_enum(enum: Enum, class_name: str) -> str:
    members = {re.sub(r"\W+", "_", label).upper(): label for label in enum.vals}
    if len(members) != len(enum.vals):
        raise CodegenError(f"enum {enum.name}: two labels give the same Python name; rename one")
    for member, label in members.items():
        if fault := find_name_fault(member):
            raise CodegenError(f"enum {enum.name}: label {label!r}: {fault}; rename it")
    documentation = (enum.comment or f"The enum `{enum.name}`.",)
    values = [f"    {member} = {json.dumps(label)}" for member, label in members.items()]
    return "\n".join([f"class {class_name}(StrEnum):", *render_docstring(documentation), "", *values])
