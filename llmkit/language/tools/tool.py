"""`Tool`, and what `tools=` may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from llmkit.config.setting_checks import check_settings, describe
from llmkit.errors import ConfigError
from llmkit.language.tools.signature import name_of, signature_of

if TYPE_CHECKING:
    from llmkit.language.tools.signature import Signature

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
#: The schema of a tool that says nothing about its arguments.
ANYTHING: Mapping[str, object] = {"type": "object"}
_NOTHING: Mapping[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}
#: With one of these, a schema of an object says what is in it.
_SAYS_PROPERTIES = frozenset({"properties", "$ref", "allOf", "anyOf", "oneOf"})
_UNSET = cast("Mapping[str, object]", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a model may call.

    A function given in `tools=` becomes one by itself. Make one for another name or description, a schema of your
    own, `strict` or a timeout.

    Attributes:
        name: letters, digits, "_" and "-", at most 64.
        description: what it does, for the model. By default what the function's docstring says, if `parameters` is
            left out too.
        parameters: JSON schema of its arguments, an object. By default read from the function's hints and docstring,
            and the function gets the values that its hints say. With a schema of your own it gets plain JSON values.
        function: what `invoke_tools` runs; it takes the arguments by name, and may be async. `None`: nothing here can
            run it.
        strict: ask the service to hold the arguments to the schema token by token, where it can. `None`: not said.
        timeout: seconds that one call may take; it outranks that of `invoke_tools`.
        spec: the dict that it was given as; it goes out as it is.
        signature: what the function takes, where `parameters` comes from it. Set by llmkit.

    Raises:
        ConfigError: a name that services do not take, a schema of something else than an object, a function whose
            parameters cannot be described in JSON, a timeout that is no time.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, object] = _UNSET
    function: Callable[..., object] | None = None
    strict: bool | None = None
    timeout: float | None = None
    spec: Mapping[str, object] | None = field(default=None, repr=False)
    signature: Signature | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.spec is None and (not isinstance(self.name, str) or not _NAME.fullmatch(self.name)):
            shown = repr(self.name) if isinstance(self.name, str) else describe(self.name)
            raise ConfigError(
                f"a tool is named {shown}", hint="Letters, digits, _ and -, at most 64; pass Tool(name=...)"
            )
        if self.function is not None and (isinstance(self.function, type) or not callable(self.function)):
            raise ConfigError(f"the function of the tool {self.name} is {describe(self.function)}", hint=_CALLABLE)
        check_timeout(self.timeout, f"the timeout of the tool {self.name}")
        if self.parameters is None:
            self._derive()
        elif self.signature is not None and self.parameters is not self.signature.schema:
            object.__setattr__(self, "signature", None)  # A copy with another schema.
        if not isinstance(self.parameters, Mapping) or self.parameters.get("type", "object") != "object":
            raise ConfigError(
                f"the parameters of the tool {self.name} are no JSON schema of an object",
                hint='Shape: {"type": "object", "properties": {...}, "required": [...]}',
            )

    def _derive(self) -> None:
        """What was not given, from the function."""
        if self.function is None:
            object.__setattr__(self, "parameters", _NOTHING)
            return
        signature = signature_of(self.function)
        object.__setattr__(self, "signature", signature)
        object.__setattr__(self, "parameters", signature.schema)
        if self.description is None:
            object.__setattr__(self, "description", signature.description)

    @classmethod
    def from_function(
        cls,
        function: Callable[..., object],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
        timeout: float | None = None,
    ) -> Tool:
        """A tool of a function, method, `functools.partial` or object that can be called, sync or async.

        Name, description and schema come from the function's name, docstring and hints. A parameter without a hint
        takes any value. `**kwargs` lets the model pass further arguments. Arguments that a partial has filled in are
        not shown to the model, and it cannot set them.

        Args:
            function: what to run.
            name: another name than the function's.
            description: another description than the docstring's.
            strict: see `Tool`.
            timeout: see `Tool`.

        Raises:
            ConfigError: a lambda without `name`, a parameter without a name (`*args`, positional-only), a hint that
                cannot be resolved or described in JSON.
        """
        if isinstance(function, type) or not callable(function):
            raise ConfigError(f"a tool is {describe(function)}", hint=_CALLABLE)
        named = name_of(function) if name is None else name
        if named == "<lambda>":
            raise ConfigError("a tool is a lambda, which has no name", hint="Use def, or Tool.from_function(f, name=)")
        return cls(name=named, description=description, function=function, strict=strict, timeout=timeout)

    @property
    def is_function(self) -> bool:
        """Is it called with arguments in JSON? Others are the service's own, or take free text."""
        return self.spec is None or self.spec.get("type") == "function"

    def to_dict(self) -> dict[str, object]:
        """OpenAI's shape; a tool that came as a dict, as it came.

        Raises:
            ConfigError: `strict` is true, and the schema has no strict form.
        """
        if self.spec is not None:
            return dict(self.spec)
        function: dict[str, object] = {"name": self.name}
        if self.description is not None:
            function["description"] = self.description
        function["parameters"] = _said_to_be_an_object(self.parameters)
        if self.strict is not None:
            function["strict"] = self.strict
        if self.strict:
            from llmkit.language.structured.strict import strict_schema

            if (closed := strict_schema(self.parameters)) is None:
                raise ConfigError(
                    f"the tool {self.name} is strict, but its schema has no strict form",
                    hint="Dicts with free keys, Any and **kwargs have none; give each object its fields",
                )
            function["parameters"] = closed
        return {"type": "function", "function": function}


def _said_to_be_an_object(schema: Mapping[str, object]) -> Mapping[str, object]:
    """Services want the type said, and the properties, where a schema leaves out what goes without saying."""
    if "type" not in schema:
        schema = {"type": "object", **schema}
    return schema if schema.keys() & _SAYS_PROPERTIES else {**schema, "properties": {}}


_CALLABLE = "Pass a function, a method, or an object that can be called"


def check_timeout(value: object, name: str) -> None:
    """Raise `ConfigError` unless it is `None` or a time in seconds."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {describe(value)}", hint="A timeout is a number of seconds above 0")


def to_tools(tools: object) -> tuple[Tool, ...]:
    """What `tools=` may hold, as tools: functions, `Tool`s, OpenAI's dicts, dicts of name and parameters.

    Raises:
        ConfigError: something else, or two tools of one name.
    """
    if tools is None:
        return ()
    check_settings({"tools": tools}, call=True)
    made = tuple(_tool(index, item) for index, item in enumerate(cast("Sequence[object]", tools)))
    names = [tool.name for tool in made if tool.is_function]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two tools are named {name!r}", hint="Give one of them another: Tool.from_function(function, name=)"
            )
    return made


def _tool(index: int, item: object) -> Tool:
    if isinstance(item, Tool):
        return item
    if isinstance(item, Mapping):
        return _of_dict(cast("Mapping[str, object]", item))
    if isinstance(item, type) or not callable(item):
        raise ConfigError(f"tools[{index}] is {describe(item)}", hint=_CALLABLE)
    return Tool.from_function(item)


def _of_dict(spec: Mapping[str, object]) -> Tool:
    if "type" not in spec:
        spec = {"type": "function", "function": spec}
    kind = str(spec["type"])
    if kind != "function":
        own = spec.get(kind)
        name = own.get("name") if isinstance(own, Mapping) else None
        return Tool(name=name if isinstance(name, str) else kind, parameters=ANYTHING, spec=spec)
    function = cast("Mapping[str, object]", spec["function"])
    return Tool(
        name=str(function["name"]),
        description=cast("str | None", function.get("description")),
        parameters=cast("Mapping[str, object]", function.get("parameters") or ANYTHING),
        strict=cast("bool | None", function.get("strict")),
        spec=spec,
    )
