"""The message Payload, built from the field names and numbers of the specification, section 6.4.1.

A row is a field: its name, number, type, and whether it is repeated. Strings that are not UTF-8 make a
message malformed; extensions are left where they are. A field that was not sent is told from one that is 0.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE: Final = "org.eclipse.tahu.protobuf"
_NUMBERS: Final = (
    ("int_value", "uint32"),
    ("long_value", "uint64"),
    ("float_value", "float"),
    ("double_value", "double"),
    ("boolean_value", "bool"),
    ("string_value", "string"),
)

_Field = tuple[str, int, str]


def _value(first: int, *more: str) -> list[_Field]:
    """Return the choice `value`: six forms that are the same everywhere, and further ones."""
    kinds = (*_NUMBERS, *((each.split()[0], each.split()[1]) for each in more))
    return [(f"value.{name}", first + i, kind) for i, (name, kind) in enumerate(kinds)]


_MESSAGES: Final[dict[str, list[_Field]]] = {
    "Payload": [
        ("timestamp", 1, "uint64"),
        ("metrics", 2, "*Payload.Metric"),
        ("seq", 3, "uint64"),
        ("uuid", 4, "string"),
        ("body", 5, "bytes"),
    ],
    "Payload.Metric": [
        ("name", 1, "string"),
        ("alias", 2, "uint64"),
        ("timestamp", 3, "uint64"),
        ("datatype", 4, "uint32"),
        ("is_historical", 5, "bool"),
        ("is_transient", 6, "bool"),
        ("is_null", 7, "bool"),
        ("metadata", 8, "Payload.MetaData"),
        ("properties", 9, "Payload.PropertySet"),
        *_value(10, "bytes_value bytes", "dataset_value Payload.DataSet", "template_value Payload.Template"),
    ],
    "Payload.MetaData": [
        ("is_multi_part", 1, "bool"),
        ("content_type", 2, "string"),
        ("size", 3, "uint64"),
        ("seq", 4, "uint64"),
        ("file_name", 5, "string"),
        ("file_type", 6, "string"),
        ("md5", 7, "string"),
        ("description", 8, "string"),
    ],
    "Payload.PropertySet": [("keys", 1, "*string"), ("values", 2, "*Payload.PropertyValue")],
    "Payload.PropertySetList": [("propertyset", 1, "*Payload.PropertySet")],
    "Payload.PropertyValue": [
        ("type", 1, "uint32"),
        ("is_null", 2, "bool"),
        *_value(3, "propertyset_value Payload.PropertySet", "propertysets_value Payload.PropertySetList"),
    ],
    "Payload.DataSet": [
        ("num_of_columns", 1, "uint64"),
        ("columns", 2, "*string"),
        ("types", 3, "*uint32"),
        ("rows", 4, "*Payload.DataSet.Row"),
    ],
    "Payload.DataSet.Row": [("elements", 1, "*Payload.DataSet.DataSetValue")],
    "Payload.DataSet.DataSetValue": _value(1),
    "Payload.Template": [
        ("version", 1, "string"),
        ("metrics", 2, "*Payload.Metric"),
        ("parameters", 3, "*Payload.Template.Parameter"),
        ("template_ref", 4, "string"),
        ("is_definition", 5, "bool"),
    ],
    "Payload.Template.Parameter": [("name", 1, "string"), ("type", 2, "uint32"), *_value(3)],
}

_Proto = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "uint32": _Proto.TYPE_UINT32,
    "uint64": _Proto.TYPE_UINT64,
    "float": _Proto.TYPE_FLOAT,
    "double": _Proto.TYPE_DOUBLE,
    "bool": _Proto.TYPE_BOOL,
    "string": _Proto.TYPE_STRING,
    "bytes": _Proto.TYPE_BYTES,
}


def _add(message: descriptor_pb2.DescriptorProto, fields: list[_Field]) -> None:
    if any(name.startswith("value.") for name, _, _ in fields):
        message.oneof_decl.add(name="value")
    for name, number, kind in fields:
        field = message.field.add(name=name.removeprefix("value."), number=number)
        field.label = _Proto.LABEL_REPEATED if kind.startswith("*") else _Proto.LABEL_OPTIONAL
        single = kind.removeprefix("*")
        if single in _TYPES:
            field.type = _TYPES[single]
        else:
            field.type, field.type_name = _Proto.TYPE_MESSAGE, f".{_PACKAGE}.{single}"
        if name.startswith("value."):
            field.oneof_index = 0


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package=_PACKAGE)
    # Edition 2023: what proto2 says of presence, and text that is checked as proto3 checks it.
    file.syntax, file.edition = "editions", descriptor_pb2.EDITION_2023
    file.options.features.repeated_field_encoding = descriptor_pb2.FeatureSet.EXPANDED
    made: dict[str, descriptor_pb2.DescriptorProto] = {}
    for path in sorted(_MESSAGES, key=lambda path: path.count(".")):
        outer, _, name = path.rpartition(".")
        made[path] = made[outer].nested_type.add(name=name) if outer else file.message_type.add(name=name)
        _add(made[path], _MESSAGES[path])
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.AddSerializedFile(_file().SerializeToString())  # type: ignore[no-untyped-call,unused-ignore]
Payload: Final[Any] = message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))
"""The protobuf message; see `connectors.sparkplug.payload` for what it is read and written with."""
