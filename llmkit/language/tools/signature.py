"""Signatures of functions: hints and docstring as a JSON schema, and arguments in JSON as the values of the hints.

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
_KEYWORDS_OF_NAMES = ("properties", "patternProperties", "dependentSchemas", "$defs")
_KEYWORDS_OF_DATA = ("const", "default", "discriminator", "enum", "examples", "required")
_MAX_ERRORS = 5


class ArgumentMismatch(Exception):
    """The arguments of a call are not what the tool takes. The text says where and why."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a function, for a model and for pydantic.

    Attributes:
        description: what the docstring says of the function.
        schema: the JSON schema of its arguments.
        model: the pydantic model of its arguments; its fields are numbered, so that any name of a parameter is good.
        names: the parameter of each field of the model.
        with_field_default: fields to pass where the model gave nothing: their default is pydantic's, not the
            function's.
        bound: parameters that a partial has filled in; a model may not.
    """

    description: str | None
    schema: Mapping[str, object]
    model: type[BaseModel]
    names: Mapping[str, str]
    with_field_default: frozenset[str]
    bound: frozenset[str]

    def read_arguments(self, arguments: str) -> dict[str, object]:
        """Read the arguments of a call, JSON text, as keyword arguments that have the types of the hints.

        What was not given is left to the function.

        Raises:
            ArgumentMismatch: the arguments do not fit.
        """
        from pydantic import ValidationError

        try:
            parsed = self.model.model_validate_json(arguments)
        except ValidationError as error:
            problem = _format_errors(error)
        except Exception as error:  # a validator of the user's own may raise anything, and the answer was paid for
            problem = type(error).__name__
        else:
            extra = parsed.model_extra or {}
            if not (refused := self.bound & extra.keys()):
                fields = (parsed.model_fields_set | self.with_field_default) & self.names.keys()
                return {**extra, **{self.names[field]: getattr(parsed, field) for field in sorted(fields)}}
            problem = f"{', '.join(sorted(refused))}: not an argument of this tool"
        raise ArgumentMismatch(f"the arguments do not fit: {problem}")


def _format_errors(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}" for item in problems[:_MAX_ERRORS]]
    more = [f"and {len(problems) - _MAX_ERRORS} more"] if len(problems) > _MAX_ERRORS else []
    return scrub("; ".join(lines + more), 600)


def unwrap_partials(function: Function) -> Function:
    """The function inside `functools.partial`s; any other as it is."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def read_name(function: Function) -> str:
    """The name of a function; of a partial, that of what is inside; of an object that can be called, its class's."""
    function = unwrap_partials(function)
    return str(getattr(function, "__name__", type(function).__name__))


#: By function, and by whether its first parameter is bound.
_signatures: WeakKeyDictionary[object, dict[bool, Signature]] = WeakKeyDictionary()


def read_signature(function: Function) -> Signature:
    """Read the signature of a function. It is read once for each function, and forgotten with it.

    Raises:
        ConfigError: a model cannot call it by names, or a hint cannot be described in JSON; the text names it.
    """
    is_method = inspect.ismethod(function)
    key: object = function.__func__ if inspect.ismethod(function) else function  # Bound methods are made at each use.
    try:
        signatures = _signatures.setdefault(key, {})
    except TypeError:  # An object that has no hash, or that nothing can refer to weakly.
        return _build_signature(function)
    if is_method not in signatures:
        signatures[is_method] = _build_signature(function)
    return signatures[is_method]


def _build_signature(function: Function) -> Signature:
    tool = read_name(function)
    parameters, open_ended = _select_parameters(function, tool)
    fields: dict[str, Any] = {}
    names: dict[str, str] = {}
    with_field_default = set()
    for index, parameter in enumerate(parameters):
        field = f"field_{index}"
        names[field] = parameter.name
        hint = _read_hint(function, parameter, tool)
        fields[field], has_field_default = _make_field(hint, parameter)
        with_field_default |= {field} if has_field_default else set()
    try:
        model, schema = _make_model(fields, open_ended=open_ended)
    except Exception as error:  # pydantic has many ways to refuse a hint, and a type may bring code of its own
        raise _make_error(fields, names, tool, error) from None
    description, parameter_texts = _parse_docstring(_read_docstring(function))
    for name, text in parameter_texts.items():
        if name in schema["properties"]:
            schema["properties"][name].setdefault("description", text)
    bound = frozenset(function.keywords) if isinstance(function, functools.partial) else frozenset()
    return Signature(description, schema, model, names, frozenset(with_field_default), bound)


def _select_parameters(function: Function, tool: str) -> tuple[list[inspect.Parameter], bool]:
    """The parameters that a model fills in, and whether the function takes any others by name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ConfigError(
            f"the function {tool} does not say what it takes", hint="Describe it: Tool(..., parameters={...})"
        ) from None
    bound = function.keywords if isinstance(function, functools.partial) else {}
    selected = []
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            what = f"*{parameter.name}" if parameter.kind is parameter.VAR_POSITIONAL else repr(parameter.name)
            raise ConfigError(
                f"the parameter {what} of {tool} has no name for its callers",
                hint="A model gives arguments by name only; wrap the function in one that takes names",
            )
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.name not in bound:
            selected.append(parameter)
    return selected, any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _read_hint(function: Function, parameter: inspect.Parameter, tool: str) -> object:
    """The hint of a parameter; text (`from __future__ import annotations`) is read where the function was written."""
    if parameter.annotation is parameter.empty:
        return Any
    function = unwrap_partials(function)
    source = inspect.unwrap(function if hasattr(function, "__name__") else type(function).__call__)

    def holder() -> None: ...

    holder.__annotations__ = {"hint": parameter.annotation}
    type_parameters = {item.__name__: item for item in getattr(source, "__type_params__", ())}
    try:
        hints = typing.get_type_hints(holder, getattr(source, "__globals__", {}), type_parameters, include_extras=True)
        return hints["hint"]
    except Exception as error:  # a hint is code, which may fail in any way
        raise ConfigError(
            f"the hint of the parameter {parameter.name!r} of {tool} cannot be read: {scrub(str(error), 120)}",
            hint="Define its type at the top of the module, or describe the tool: Tool(..., parameters={...})",
        ) from None


def _make_field(hint: Any, parameter: inspect.Parameter) -> tuple[object, bool]:
    """The field of a parameter, for pydantic, and whether its default is `Field(...)`: then pydantic has the value."""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    if isinstance(parameter.default, FieldInfo):
        return (Annotated[hint, parameter.default], Field(alias=parameter.name)), True
    if parameter.default is parameter.empty:
        return (hint, Field(alias=parameter.name)), False
    hint = _allow_none(hint) if parameter.default is None else hint
    return (hint, Field(default=parameter.default, alias=parameter.name)), False


def _allow_none(hint: Any) -> object:
    """Add `None` to a hint: where `None` is the default, it is a value that the function takes."""
    if hint is Any:
        return hint
    try:
        if typing.get_origin(hint) is Annotated:
            return Annotated[(hint.__origin__ | None, *hint.__metadata__)]
        return cast("object", hint | None)
    except TypeError:
        return hint  # Not a type; pydantic says so.


def _make_model(fields: Mapping[str, Any], *, open_ended: bool) -> tuple[type[BaseModel], dict[str, Any]]:
    """Make the model of the arguments, and its schema. `open_ended`: it takes other arguments too."""
    from pydantic import ConfigDict, create_model
    from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

    class SchemaGenerator(GenerateJsonSchema):
        """Leaves a default that JSON cannot say out of the schema, without a warning; the function has it."""

        ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    config = ConfigDict(extra="allow" if open_ended else "forbid")
    model = create_model("Arguments", __config__=config, **cast("Any", fields))
    generated = cast("dict[str, Any]", _remove_titles(model.model_json_schema(schema_generator=SchemaGenerator)))
    schema = {"type": "object", "properties": generated.get("properties", {})}
    schema |= {key: generated[key] for key in ("required", "$defs") if key in generated}
    return model, {**schema, "additionalProperties": open_ended}


def _make_error(fields: Mapping[str, Any], names: Mapping[str, str], tool: str, error: Exception) -> ConfigError:
    """Make the error for the first parameter that pydantic does not take; for all together if each alone is taken."""
    cause, where = error, ""
    for field, definition in fields.items():
        try:
            _make_model({field: definition}, open_ended=False)
        except Exception as field_error:  # as in `_build_signature`
            cause, where = field_error, f"the parameter {names[field]!r} of "
            break
    reason = (str(cause) or type(cause).__name__).splitlines()[0]
    return ConfigError(
        f"{where}{tool} cannot be described in JSON: {scrub(reason, 160)}",
        hint="Use a type that pydantic knows, bind the argument with functools.partial, or Tool(..., parameters={...})",
    )


def _remove_titles(schema: object) -> object:
    """Copy a schema without the titles that pydantic makes out of the names: tokens that say nothing new."""
    if isinstance(schema, list):
        return [_remove_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy: dict[str, object] = {}
    for key, value in schema.items():
        if key in _KEYWORDS_OF_NAMES and isinstance(value, dict):
            copy[key] = {name: _remove_titles(item) for name, item in value.items()}
        elif key != "title":
            copy[key] = value if key in _KEYWORDS_OF_DATA else _remove_titles(value)
    return copy


def _read_docstring(function: Function) -> str | None:
    function = unwrap_partials(function)
    if hasattr(function, "__name__"):
        return inspect.getdoc(function)
    text = type(function).__call__.__doc__ if inspect.isfunction(type(function).__call__) else None
    return inspect.cleandoc(text) if text else inspect.getdoc(type(function))


def _parse_docstring(text: str | None) -> tuple[str | None, dict[str, str]]:
    """What a docstring says of the function, and of each parameter, in Google's, NumPy's or reST's style."""
    if not text:
        return None, {}
    import docstring_parser

    try:
        parsed = docstring_parser.parse(text)
    except Exception:  # a docstring is prose, on which the parser may fail in any way: it is one description then
        return text, {}
    paragraphs = [part for part in (parsed.short_description, parsed.long_description) if part]
    parameter_texts = {item.arg_name.lstrip("*"): " ".join((item.description or "").split()) for item in parsed.params}
    return "\n\n".join(paragraphs) or None, {name: words for name, words in parameter_texts.items() if words}
