"""Immutable values that cost nothing to define.

A frozen dataclass and a named tuple write code and compile it, 0.2 to 0.5 ms for each class; every
`glm chat` would define eighteen of them before its request leaves.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True)
class Value:
    """Fields are the annotations of the class in their order, defaults its attributes.

    Compared, hashed and shown by its fields. Raises TypeError, as a function would, for arguments that
    do not fit.
    """

    _fields: ClassVar[dict[str, None]] = {}
    _defaults: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = dict.fromkeys(cls.__annotations__)
        cls._fields = {**cls._fields, **own}
        cls._defaults = {**cls._defaults, **{name: vars(cls)[name] for name in own if name in vars(cls)}}

    def __init__(self, *args: Any, **named: Any) -> None:
        fields = self._fields
        placed = dict(zip(fields, args, strict=False))
        values = {**self._defaults, **placed, **named}
        if len(args) > len(fields) or placed.keys() & named.keys() or values.keys() != fields.keys():
            raise TypeError(f"{type(self).__name__} takes {', '.join(fields)}, not {[*map(type, args)]} {[*named]}")
        self.__dict__.update(values)

    def replace(self, **changes: Any) -> Self:
        """The same value with other fields. Raises TypeError for a name that is none."""
        return type(self)(**{**vars(self), **changes})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), *(vars(self)[name] for name in self._fields)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={vars(self)[name]!r}' for name in self._fields)})"
