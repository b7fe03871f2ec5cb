"""`Tool`, and the conversion of what `tools=` may hold into it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from llmkit.config.setting_checks import check_settings, describe
from llmkit.errors import ConfigError
from llmkit.language.tools.signature import read_name, read_signature

if TYPE_CHECKING:
    from llmkit.language.tools.signature import Signature

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
#: The schema of a tool that says nothing about its arguments.
ANY_ARGUMENTS: Mapping[str, object] = {"type": "object"}
_NO_ARGUMENTS: Mapping[str, object] = {"type": "object", "properties": {}, "additionalProperties": False}
#: With one of these, a schema of an object says what is in it.
_KEYWORDS_OF_CONTENT = frozenset({"properties", "$ref", "allOf", "anyOf", "oneOf"})
_CALLABLE_HINT = "Pass a function, a method, or an object that can be called"
_UNSET = cast("Mapping[str, object]", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a model may call.

    A function given in `tools=` becomes one by itself. Make one for another name or description, a schema of your
    own, `strict` or a timeout.

    Attributes:
        name: letters, digits, "_" and "-", at most 64 characters.
        description: what it does, for the model. By default what the function's docstring says, if `parameters` is
            left out too.
        parameters: JSON schema of its arguments, an object. By default read from the function's hints and docstring,
            and the function gets the values that its hints say. With a schema of your own it gets plain JSON values.
        function: what `invoke_tools` runs; it takes the arguments by name, and may be async. `None`: nothing here can
            run it.
        strict: ask the service to hold the arguments to the schema token by token, where it can. `None`: not said.
        timeout: seconds that one call may take; it outranks that of `invoke_tools`. `None`: not said.
        spec: the dict that the tool was given as; it goes out as it is. `None`: the tool was not given as a dict.
        signature: what the function takes, where `parameters` comes from it. Set by llmkit.

    Raises:
        ConfigError: a name that services do not take, a schema of something else than an object, a function whose
            parameters cannot be described in JSON, a timeout that is not above 0.
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
            raise ConfigError(f"the function of the tool {self.name} is {describe(self.function)}", hint=_CALLABLE_HINT)
        check_timeout(self.timeout, f"the timeout of the tool {self.name}")
        if self.parameters is None:
            self._derive()
        elif self.signature is not None and self.parameters is not self.signature.schema:
            object.__setattr__(self, "signature", None)  # A copy with another schema.
        if not isinstance(self.parameters, Mapping) or self.parameters.get("type", "object") != "object":
            raise ConfigError(
                f"the parameters of the tool {self.name} are not the JSON schema of an object",
                hint='Shape: {"type": "object", "properties": {...}, "required": [...]}',
            )

    def _derive(self) -> None:
        """Set what was not given from the signature of the function."""
        if self.function is None:
            object.__setattr__(self, "parameters", _NO_ARGUMENTS)
            return
        signature = read_signature(self.function)
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
        """Make a tool of a function, method, `functools.partial` or object that can be called, sync or async.

        Name, description and schema come from the function's name, docstring and hints. A parameter without a hint
        takes any value. `**kwargs` lets the model pass further arguments. Arguments that a partial has filled in are
        not shown to the model, and it cannot set them.

        Args:
            function: what to run.
            name: its name for the model. Default: the function's.
            description: its description for the model. Default: the docstring's.
            strict: see `Tool`.
            timeout: seconds that one call may take; see `Tool`.

        Raises:
            ConfigError: a lambda without `name`, a parameter without a name (`*args`, positional-only), a hint that
                cannot be resolved or described in JSON.
        """
        if isinstance(function, type) or not callable(function):
            raise ConfigError(f"a tool is {describe(function)}", hint=_CALLABLE_HINT)
        tool_name = read_name(function) if name is None else name
        if tool_name == "<lambda>":
            raise ConfigError("a tool is a lambda, which has no name", hint="Use def, or Tool.from_function(f, name=)")
        return cls(name=tool_name, description=description, function=function, strict=strict, timeout=timeout)

    @property
    def is_function(self) -> bool:
        """Is the tool called with arguments in JSON? Others are the service's own, or take free text."""
        return self.spec is None or self.spec.get("type") == "function"

    def to_dict(self) -> dict[str, object]:
        """The tool as a dict in OpenAI's form; one that was given as a dict, as it was given.

        Raises:
            ConfigError: `strict` is true, and the schema has no strict form.
        """
        if self.spec is not None:
            return dict(self.spec)
        function: dict[str, object] = {"name": self.name}
        if self.description is not None:
            function["description"] = self.description
        function["parameters"] = _complete_object_schema(self.parameters)
        if self.strict is not None:
            function["strict"] = self.strict
        if self.strict:
            from llmkit.language.structured.strict import strict_schema

            if (schema := strict_schema(self.parameters)) is None:
                raise ConfigError(
                    f"the tool {self.name} is strict, but its schema has no strict form",
                    hint="Dicts with free keys, Any and **kwargs have none; give each object its fields",
                )
            function["parameters"] = schema
        return {"type": "function", "function": function}


def _complete_object_schema(schema: Mapping[str, object]) -> Mapping[str, object]:
    """Add `type` and `properties` to the schema of an object where they are left out: services insist on them."""
    if "type" not in schema:
        schema = {"type": "object", **schema}
    return schema if schema.keys() & _KEYWORDS_OF_CONTENT else {**schema, "properties": {}}


def check_timeout(value: object, name: str) -> None:
    """Raise `ConfigError` unless `value` is `None` or a number of seconds above 0."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} is {describe(value)}", hint="A timeout is a number of seconds above 0")


def to_tools(tools: object) -> tuple[Tool, ...]:
    """Make tools of what `tools=` may hold: functions, `Tool`s, OpenAI's dicts, dicts of name and parameters.

    Raises:
        ConfigError: something else, or two tools of one name.
    """
    if tools is None:
        return ()
    check_settings({"tools": tools}, call=True)
    converted = tuple(_to_tool(index, item) for index, item in enumerate(cast("Sequence[object]", tools)))
    names = [tool.name for tool in converted if tool.is_function]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two tools are named {name!r}", hint="Give one of them another: Tool.from_function(function, name=)"
            )
    return converted


def _to_tool(index: int, item: object) -> Tool:
    if isinstance(item, Tool):
        return item
    if isinstance(item, Mapping):
        return _dict_to_tool(cast("Mapping[str, object]", item))
    if isinstance(item, type) or not callable(item):
        raise ConfigError(f"tools[{index}] is {describe(item)}", hint=_CALLABLE_HINT)
    return Tool.from_function(item)


def _dict_to_tool(spec: Mapping[str, object]) -> Tool:
    if "type" not in spec:
        spec = {"type": "function", "function": spec}
    kind = str(spec["type"])
    if kind != "function":
        details = spec.get(kind)
        name = details.get("name") if isinstance(details, Mapping) else None
        return Tool(name=name if isinstance(name, str) else kind, parameters=ANY_ARGUMENTS, spec=spec)
    function = cast("Mapping[str, object]", spec["function"])
    return Tool(
        name=str(function["name"]),
        description=cast("str | None", function.get("description")),
        parameters=cast("Mapping[str, object]", function.get("parameters") or ANY_ARGUMENTS),
        strict=cast("bool | None", function.get("strict")),
        spec=spec,
    )
