"""Protobuf's messages by their field numbers, without generated code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trajnet.errors import DependencyError, install_advice

#: Message -> field -> (number, type); a type that is no scalar names a message, and a star means repeated.
Fields = Mapping[str, Mapping[str, tuple[int, str]]]

#: What an extra is for, in the error where protobuf is missing.
_NEEDED_BY = {"womd": "Waymo's scenarios need", "trajdata": "trajdata's maps need"}


def message_class(extra: str, fields: Fields, name: str) -> Any:
    """Return protobuf's class of the message of this name; fields that are not listed are passed over.

    extra: the extra that brings protobuf for them. Raises DependencyError where it is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError as error:
        raise DependencyError(
            f"{_NEEDED_BY[extra]} protobuf, which is not installed; run: {install_advice(extra)}"
        ) from error
    field = descriptor_pb2.FieldDescriptorProto
    package = f"trajnet.{extra}"
    file = descriptor_pb2.FileDescriptorProto(name=f"trajnet/{extra}.proto", package=package, syntax="proto2")
    for message, listed in fields.items():
        described = file.message_type.add(name=message)
        for own, (number, kind) in listed.items():
            single = kind.rstrip("*")
            added = described.field.add(name=own, number=number)
            added.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
            if single in fields:
                added.type, added.type_name = field.TYPE_MESSAGE, f".{package}.{single}"
            else:
                added.type = getattr(field, f"TYPE_{single.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
