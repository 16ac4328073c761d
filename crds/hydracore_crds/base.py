"""What every kind shares: wire naming, metadata, conditions and the kind's own description."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

GROUP = "hydracore.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


def format_time(value: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC with milliseconds and ``Z``."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(value: object) -> object:
    """Read an RFC 3339 string as an aware UTC time; other types are left to Pydantic."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    return value


Time = Annotated[
    datetime,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str, when_used="json"),
]
"""An instant: aware UTC in Python, RFC 3339 with ``Z`` on the wire."""

_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL validation rule and the message with which it refuses."""

    rule: str
    message: str

    def to_schema(self) -> dict[str, str]:
        """Return the entry of ``x-kubernetes-validations``."""
        return {"rule": self.rule, "message": self.message}


class Checked:
    """Has the API server say why a text is refused, which a pattern in a schema cannot."""

    def __init__(self, *rules: Rule) -> None:
        """Take the rules that stand in the schema in place of a pattern."""
        self._rules = rules

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = {k: v for k, v in handler(core).items() if k != "pattern"}
        return {**schema, "x-kubernetes-validations": [rule.to_schema() for rule in self._rules]}


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=63, pattern=_NAME),
    Checked(
        Rule(
            "!self.contains('/')",
            "names an object by '/' and so in another namespace: references stay within the "
            "namespace of their object, so write the plain name of an object there",
        ),
        Rule(
            f"self.contains('/') || self.matches('{_NAME}')",
            "is not the name of an object: it has lower-case letters, digits, '-' and '.', "
            "and begins and ends with a letter or digit",
        ),
    ),
]
"""The name of another object (DNS subdomain, at most 63 characters), never with a namespace."""

Slug = Annotated[
    str,
    StringConstraints(min_length=1, max_length=32, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]
"""The name of a component over all its versions (DNS label)."""

ShortText = Annotated[str, StringConstraints(max_length=253)]
Message = Annotated[str, StringConstraints(max_length=2048)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", max_length=64)]
Uuid = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", max_length=36
    ),
]


class Wire(BaseModel):
    """A model whose Python names are snake_case and whose wire names are camelCase.

    Unknown fields are ignored: the API server has already pruned what the schema does not know.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON form: camelCase keys, absent instead of null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Wire):
    """metav1.OwnerReference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Wire):
    """The part of metav1.ObjectMeta that HydraCore reads."""

    name: str = ""
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    owner_references: list[OwnerReference] = Field(default_factory=list)
    managed_fields: list[dict[str, Any]] = Field(default_factory=list, repr=False)

    @property
    def key(self) -> str:
        """``namespace/name``, or ``name`` for an object of the cluster."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Wire):
    """metav1.Condition: one aspect of an object's state, with a reason that a program can read."""

    type: Annotated[str, StringConstraints(max_length=63)]
    status: ConditionStatus
    reason: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    message: Message = ""
    last_transition_time: Time
    observed_generation: int | None = None


Conditions = Annotated[
    list[Condition],
    Field(
        max_length=16,
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    ),
]


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column of ``kubectl get``; priority 1 shows only with ``-o wide``."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0
    description: str = ""


NAME_LENGTH = Rule(
    "self.metadata.name.size() <= 63",
    "metadata.name may have at most 63 characters: shorten it",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is known to the API server."""

    kind: str
    plural: str
    short: str
    namespaced: bool
    columns: tuple[Column, ...] = ()
    selectable: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = field(default=(NAME_LENGTH,))

    @property
    def crd_name(self) -> str:
        """The name of the CustomResourceDefinition."""
        return f"{self.plural}.{GROUP}"


class Resource(Wire):
    """A custom resource. Subclasses add ``spec``, ``status`` and their :class:`Kind`."""

    KIND: ClassVar[Kind]

    api_version: str = API_VERSION
    kind: str = ""
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)

    @property
    def key(self) -> str:
        """``namespace/name``, or ``name`` for an object of the cluster."""
        return self.metadata.key

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for."""
        return self.metadata.deletion_timestamp is not None


def rules(*groups: list[dict[str, str]], required: list[str] | None = None) -> ConfigDict:
    """Return the model configuration that puts CEL rules on a model's object schema.

    Args:
        groups: The rules.
        required: The schema's list of required wire fields, where rules say more than it would.
    """
    extra: dict[str, Any] = {"x-kubernetes-validations": [r for group in groups for r in group]}
    if required is not None:
        extra["required"] = required
    return ConfigDict(json_schema_extra=extra)


def immutable(*names: str) -> list[dict[str, str]]:
    """Build rules for an object schema that keep the named wire fields as they were created.

    Optional fields may neither appear nor vanish afterwards.
    """
    return [
        Rule(
            f"has(self.{n}) == has(oldSelf.{n}) && (!has(self.{n}) || self.{n} == oldSelf.{n})",
            f"{n} cannot be changed: create a new object instead",
        ).to_schema()
        for n in names
    ]


def set_once(name: str) -> list[dict[str, str]]:
    """Build a rule for an object schema: the wire field may be set once and then stays."""
    rule = Rule(
        f"!has(oldSelf.{name}) || (has(self.{name}) && self.{name} == oldSelf.{name})",
        f"{name} cannot be changed once it is set",
    )
    return [rule.to_schema()]


def find(conditions: list[Condition], type_: str) -> Condition | None:
    """Return the condition of this type, or None."""
    return next((c for c in conditions if c.type == type_), None)


def set_condition(
    conditions: list[Condition],
    type_: str,
    status: ConditionStatus,
    *,
    reason: str,
    message: str,
    now: datetime,
    generation: int,
) -> list[Condition]:
    """Return the conditions with this one set.

    ``lastTransitionTime`` moves only when ``status`` changes (Kubernetes API conventions), so
    that setting the same condition again changes nothing.
    """
    old = find(conditions, type_)
    since = old.last_transition_time if old is not None and old.status == status else now
    new = Condition(
        type=type_,
        status=status,
        reason=reason,
        message=message[:2048],
        last_transition_time=since,
        observed_generation=generation,
    )
    if old is None:
        return [*conditions, new]
    return [new if c.type == type_ else c for c in conditions]
