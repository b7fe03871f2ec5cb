"""What a function takes: its hints and docstring as a JSON schema, and arguments in JSON as the values of its hints.

pydantic makes both out of one model, so that they cannot differ.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast
from weakref import WeakKeyDictionary

from llmkit.errors import ConfigError
from llmkit.types.redaction import scrub

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

Function = Callable[..., object]
#: Keywords whose value maps names to schemas, and those whose value is data.
_NAMED = ("properties", "patternProperties", "dependentSchemas", "$defs")
_DATA = ("const", "default", "discriminator", "enum", "examples", "required")
_MOST_ERRORS = 5


class Misfit(Exception):
    """The arguments of a call are not what the tool takes; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes.

    Attributes:
        description: what its docstring says of it.
        schema: the JSON schema of its arguments.
        model: the pydantic model of its arguments; its fields are numbered, so that any name of a parameter is good.
        names: field of the model to parameter.
        always: fields to pass where the model gave nothing: their default is pydantic's, not the function's.
        closed: parameters that the program has filled in; a model may not.
    """

    description: str | None
    schema: Mapping[str, object]
    model: type[BaseModel]
    names: Mapping[str, str]
    always: frozenset[str]
    closed: frozenset[str]

    def values(self, arguments: str) -> dict[str, object]:
        """The keyword arguments of a call, as the hints type them. What was not given is left to the function.

        Raises:
            Misfit: they do not fit.
        """
        from pydantic import ValidationError

        try:
            made = self.model.model_validate_json(arguments)
        except ValidationError as error:
            problem = _said(error)
        except Exception as error:  # a validator of the user's own may raise anything, and the answer was paid for
            problem = type(error).__name__
        else:
            extra = made.model_extra or {}
            if not (taken := self.closed & extra.keys()):
                given = (made.model_fields_set | self.always) & self.names.keys()
                return {**extra, **{self.names[field]: getattr(made, field) for field in sorted(given)}}
            problem = f"{', '.join(sorted(taken))}: not an argument of this tool"
        raise Misfit(f"the arguments do not fit: {problem}")


def _said(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in problems[:_MOST_ERRORS]]
    more = [f"and {len(problems) - _MOST_ERRORS} more"] if len(problems) > _MOST_ERRORS else []
    return scrub("; ".join(lines + more), 600)


def name_of(function: Function) -> str:
    """The name of a function; of a partial, that of what is inside; of an object that can be called, its class's."""
    while isinstance(function, functools.partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))


_known: WeakKeyDictionary[object, dict[bool, Signature]] = WeakKeyDictionary()


def signature_of(function: Function) -> Signature:
    """What a function takes. It is worked out once for each function, and forgotten with it.

    Raises:
        ConfigError: a model cannot call it by names, or a hint cannot be described in JSON; the text names it.
    """
    bound = inspect.ismethod(function)
    key: object = function.__func__ if inspect.ismethod(function) else function
    try:
        known = _known.setdefault(key, {})
    except TypeError:  # An object that has no hash, or that nothing can refer to weakly.
        return _read(function)
    if bound not in known:
        known[bound] = _read(function)
    return known[bound]


def _read(function: Function) -> Signature:
    tool = name_of(function)
    parameters, open_ended = _parameters(function, tool)
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    always = set()
    for index, parameter in enumerate(parameters):
        field = f"field_{index}"
        names[field] = parameter.name
        hint = _hint(function, parameter, tool)
        fields[field], told = _field(hint, parameter)
        always |= {field} if told else set()
    try:
        model, schema = _model(fields, open_ended=open_ended)
    except Exception as error:  # pydantic has many ways to refuse a hint
        raise _refused(fields, names, tool, error) from None
    description, said = _documented(_docstring(function))
    for name, text in said.items():
        if name in schema["properties"]:
            schema["properties"][name].setdefault("description", text)
    closed = frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()
    return Signature(description, schema, model, names, frozenset(always), closed)


def _parameters(function: Function, tool: str) -> tuple[list[inspect.Parameter], bool]:
    """The parameters that a model fills in; does the function take any others by name?"""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ConfigError(
            f"the function {tool} does not say what it takes", hint="Describe it: Tool(..., parameters={...})"
        ) from None
    filled = function.keywords if isinstance(function, functools.partial) else {}
    taken = []
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            what = f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else repr(parameter.name)
            raise ConfigError(
                f"the parameter {what} of {tool} has no name for its callers",
                hint="A model gives arguments by name only; wrap the function in one that takes names",
            )
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in filled:
            taken.append(parameter)
    return taken, any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _hint(function: Function, parameter: inspect.Parameter, tool: str) -> object:
    """The hint of a parameter; text (`from __future__ import annotations`) is read where the function was written."""
    if parameter.annotation is parameter.empty:
        return Any
    while isinstance(function, functools.partial):
        function = function.func
    written = inspect.unwrap(function if hasattr(function, "__name__") else type(function).__call__)

    def holder() -> None: ...

    holder.__annotations__ = {"hint": parameter.annotation}
    own = {item.__name__: item for item in getattr(written, "__type_params__", ())}
    try:
        return typing.get_type_hints(holder, getattr(written, "__globals__", {}), own, include_extras=True)["hint"]
    except Exception as error:  # the hint is code; it may fail in any way
        raise ConfigError(
            f"the hint of the parameter {parameter.name!r} of {tool} cannot be read: {scrub(str(error), 120)}",
            hint="Define its type at the top of the module, or describe the tool: Tool(..., parameters={...})",
        ) from None


def _field(hint: Any, parameter: inspect.Parameter) -> tuple[object, bool]:
    """The field of a parameter, for pydantic; is its default `Field(...)`, so that pydantic has the value?"""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    if isinstance(parameter.default, FieldInfo):
        return (Annotated[hint, parameter.default], Field(alias=parameter.name)), True
    if parameter.default is parameter.empty:
        return (hint, Field(alias=parameter.name)), False
    hint = _nullable(hint) if parameter.default is None else hint
    return (hint, Field(default=parameter.default, alias=parameter.name)), False


def _nullable(hint: Any) -> object:
    """The hint with `None` in it: where `None` is the default, it is a value that the function takes."""
    if hint is Any:
        return hint
    try:
        if typing.get_origin(hint) is Annotated:
            return Annotated[(hint.__origin__ | None, *hint.__metadata__)]
        return cast("object", hint | None)
    except TypeError:  # No hint at all; pydantic says so.
        return hint


def _model(fields: Mapping[str, Any], *, open_ended: bool) -> tuple[type[BaseModel], dict[str, Any]]:
    """The model of the arguments, and its schema."""
    from pydantic import ConfigDict, create_model
    from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

    class Quiet(GenerateJsonSchema):
        """A default that JSON cannot say is left out of the schema; the function has it."""

        ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    config = ConfigDict(extra="allow" if open_ended else "forbid")
    model = create_model("Arguments", __config__=config, **cast("Any", fields))
    made = cast("dict[str, Any]", _untitled(model.model_json_schema(schema_generator=Quiet)))
    schema = {"type": "object", "properties": made.get("properties", {})}
    schema |= {key: made[key] for key in ("required", "$defs") if key in made}
    return model, {**schema, "additionalProperties": open_ended}


def _refused(fields: Mapping[str, Any], names: Mapping[str, str], tool: str, error: Exception) -> ConfigError:
    """The error for the first parameter that pydantic does not take."""
    said, where = error, ""
    for field, definition in fields.items():
        try:
            _model({field: definition}, open_ended=False)
        except Exception as own:  # see `_read`
            said, where = own, f"the parameter {names[field]!r} of "
            break
    return ConfigError(
        f"{where}{tool} cannot be described in JSON: {scrub((str(said) or type(said).__name__).splitlines()[0], 160)}",
        hint="Use a type that pydantic knows, bind the argument with functools.partial, or Tool(..., parameters={...})",
    )


def _untitled(schema: object) -> object:
    """A schema without the titles that pydantic makes out of the names: tokens that say nothing new."""
    if isinstance(schema, list):
        return [_untitled(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, object] = {}
    for key, value in schema.items():
        if key in _NAMED and isinstance(value, dict):
            made[key] = {name: _untitled(item) for name, item in value.items()}
        elif key != "title":
            made[key] = value if key in _DATA else _untitled(value)
    return made


def _docstring(function: Function) -> str | None:
    while isinstance(function, functools.partial):
        function = function.func
    if hasattr(function, "__name__"):
        return inspect.getdoc(function)
    own = type(function).__call__.__doc__ if inspect.isfunction(type(function).__call__) else None
    return inspect.cleandoc(own) if own else inspect.getdoc(type(function))


def _documented(text: str | None) -> tuple[str | None, dict[str, str]]:
    """What a docstring says of the function, and of each parameter. Google's, NumPy's and reST's styles are read."""
    if not text:
        return None, {}
    import docstring_parser

    try:
        parsed = docstring_parser.parse(text)
    except Exception:  # a docstring is prose: what is in no style is one description
        return text, {}
    said = [part for part in (parsed.short_description, parsed.long_description) if part]
    named = {item.arg_name.lstrip("*"): " ".join((item.description or "").split()) for item in parsed.params}
    return "\n\n".join(said) or None, {name: words for name, words in named.items() if words}
