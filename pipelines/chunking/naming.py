"""What a definition is called, in the fourteen grammars."""

from tree_sitter import Node

WRAPPERS = frozenset({"decorated_definition", "export_statement", "template_declaration"})
"""They have the name of the definition within, and must not give it twice."""

DEFINITIONS = WRAPPERS | frozenset(
    {
        "abstract_class_declaration",
        "annotation_type_declaration",
        "class",
        "class_declaration",
        "class_definition",
        "class_specifier",
        "constructor_declaration",
        "delegate_declaration",
        "enum_declaration",
        "enum_item",
        "enum_specifier",
        "file_scoped_namespace_declaration",
        "function_declaration",
        "function_definition",
        "function_item",
        "generator_function_declaration",
        "impl_item",
        "interface_declaration",
        "internal_module",
        "lexical_declaration",
        "macro_definition",
        "method",
        "method_declaration",
        "method_definition",
        "mod_item",
        "module",
        "namespace_declaration",
        "namespace_definition",
        "property_declaration",
        "record_declaration",
        "singleton_method",
        "struct_declaration",
        "struct_item",
        "struct_specifier",
        "trait_declaration",
        "trait_item",
        "type_alias_declaration",
        "type_declaration",
        "type_definition",
        "type_item",
        "union_item",
        "union_specifier",
    }
)

_TOWARDS_NAME = ("name", "definition", "declaration", "declarator", "type")
_UNFIELDED = {"template_declaration": -1, "lexical_declaration": 0, "type_declaration": 0}
_QUALIFIED = frozenset(
    {"namespace_name", "qualified_identifier", "qualified_name", "scope_resolution"}
)
_FUNCTIONS = frozenset({"arrow_function", "class", "function_expression", "generator_function"})
_FARTHEST = 6


def name_of(node: Node, data: bytes) -> str | None:
    """Its name, with that of its receiver in front for a method of Go."""
    if node.type == "lexical_declaration" and not _is_function(node):
        return None
    name = _name(node, data)
    receiver = node.child_by_field_name("receiver")
    owner = _receiver(receiver, data) if receiver else None
    return f"{owner}.{name}" if owner and name else name


def _name(node: Node, data: bytes) -> str | None:
    found: Node | None = node
    for _ in range(_FARTHEST):
        if found is None:
            return None
        if found.child_count == 0 or found.type in _QUALIFIED:
            # Not `found.text`: it would ask for the source again, a byte at a time.
            text = data[found.start_byte : found.end_byte].decode()
            return text.replace("::", ".").replace("\\", ".")
        found = _closer(found)
    return None


def _closer(node: Node) -> Node | None:
    for field in _TOWARDS_NAME:
        if child := node.child_by_field_name(field):
            return child
    if node.type not in _UNFIELDED or not node.named_child_count:
        return None
    return node.named_child(_UNFIELDED[node.type] % node.named_child_count)


def _is_function(declaration: Node) -> bool:
    declarator = _closer(declaration)
    value = declarator.child_by_field_name("value") if declarator else None
    return value is not None and value.type in _FUNCTIONS


def _receiver(receiver: Node, data: bytes) -> str | None:
    parameter = receiver.named_children[0] if receiver.named_children else None
    kind = parameter.child_by_field_name("type") if parameter else None
    while kind is not None and kind.type == "pointer_type":
        kind = kind.named_child(0)
    return _name(kind, data) if kind else None
