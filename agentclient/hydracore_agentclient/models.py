"""What agents answer and what they are told. Bounded, since a stranger may answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from hydracore_crds.base import Message, Sha256, ShortText, Uuid, Wire

AgentHealth = Literal["healthy", "degraded", "unhealthy"]
TaskState = Literal[
    "accepted",
    "downloading",
    "verifying",
    "unpacking",
    "switching",
    "trial",
    "activated",
    "rolled_back",
    "rejected",
    "aborted",
    "expired",
]
FINAL_TASK_STATES: frozenset[str] = frozenset(
    {"activated", "rolled_back", "rejected", "aborted", "expired"}
)
Count = Annotated[int, Field(ge=0, le=2**53)]


class TaskReport(Wire):
    """Where an order stands at its agent.

    Attributes:
        final: The state will not change any more.
        message: The cause, for people.
        running_hash: Digest of the runtime that runs now.
    """

    task_id: Uuid
    state: TaskState
    final: bool
    sha256: Sha256 | None = None
    version: ShortText | None = None
    message: Message | None = None
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    bytes_done: Count | None = None
    bytes_total: Count | None = None
    running_hash: Sha256 | None = None


class InstalledComponent(Wire):
    """One component that the agent runs."""

    component: ShortText
    slug: ShortText
    version: ShortText
    sha256: Sha256 | None = None


class AgentStatus(Wire):
    """Answer of ``GET /api/status``."""

    instance_id: ShortText
    slug: ShortText | None = None
    version: ShortText | None = None
    bundle_hash: Sha256 | None = None
    healthy: bool
    health_status: AgentHealth
    started_at: AwareDatetime | None = None
    uptime_seconds: float = Field(default=0, ge=0)
    pid: Count | None = None
    on_trial: bool = False
    epoch: Count = 0
    capabilities: dict[ShortText, bool] = Field(default_factory=dict, max_length=256)
    active_connections: Count = 0
    skills_loaded: list[ShortText] = Field(default_factory=list, max_length=1024)
    node_version: ShortText | None = None
    components: list[InstalledComponent] = Field(default_factory=list, max_length=256)
    previous_bundle_hash: Sha256 | None = None
    task: TaskReport | None = None


class Subsystem(Wire):
    """One part of the agent, as it examined itself."""

    status: AgentHealth
    message: Message | None = None
    latency_ms: float | None = Field(default=None, ge=0)


class DeepHealth(Wire):
    """Answer of ``GET /api/health/deep``."""

    status: AgentHealth
    checked_at: AwareDatetime
    uptime_seconds: float = Field(ge=0)
    subsystems: dict[ShortText, Subsystem] = Field(default_factory=dict, max_length=64)


class ConversationSummary(Wire):
    """One line of the list of conversations."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_-]{1,128}$")]
    messages: Count
    first_at: AwareDatetime
    last_at: AwareDatetime


class ConversationList(Wire):
    """Answer of ``GET /api/conversations``: the newest first."""

    conversations: list[ConversationSummary] = Field(max_length=100)


class ConversationMessage(Wire):
    """One message."""

    role: Literal["user", "assistant"]
    text: str
    at: AwareDatetime


class Conversation(Wire):
    """Answer of ``GET /api/conversations/{id}``: the oldest message first.

    Attributes:
        truncated: The oldest messages did not fit into the answer.
    """

    id: str
    messages: list[ConversationMessage] = Field(max_length=1000)
    truncated: bool = False


class MemoryItem(Wire):
    """One thing that the agent remembers."""

    id: Uuid
    kind: Literal["fact", "procedure"]
    content: Annotated[str, StringConstraints(max_length=4000)]
    customer_id: ShortText | None = None
    conversation_id: ShortText | None = None
    created_at: AwareDatetime


class Memory(Wire):
    """Answer of ``GET /api/memory``: the newest items first, and how many are stored in all."""

    items: list[MemoryItem] = Field(max_length=200)
    stored: Count


class Forgotten(Wire):
    """Answer of ``DELETE /api/memory``."""

    removed: Count


class MemoryFilter(Wire):
    """Which items are meant; what is left out leaves it open."""

    id: Uuid | None = None
    kind: Literal["fact", "procedure"] | None = None
    customer_id: ShortText | None = None
    conversation_id: ShortText | None = None


class NewMemory(Wire):
    """Something to remember."""

    kind: Literal["fact", "procedure"] = "fact"
    content: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    customer_id: ShortText | None = None
    conversation_id: ShortText | None = None


ActionRunState = Literal[
    "accepted", "restarting", "succeeded", "failed", "interrupted", "abandoned"
]
RunName = Annotated[str, StringConstraints(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=63)]


class AgentProfile(Wire):
    """What an agent is told about itself and whom it serves."""

    agent_name: ShortText
    user_display_name: ShortText | None = None
    customer_id: ShortText | None = None
    preset_id: ShortText | None = None
    manifest_id: ShortText | None = None
    recipe_id: ShortText | None = None
    website_template_slug: ShortText | None = None
    workflow_slugs: list[ShortText] = Field(default_factory=list, max_length=64)


class ActionCommand(Wire):
    """What one agent is told to do.

    Attributes:
        action: Its name, a segment of the path.
        action_id: The agent carries out each at most once.
        epoch: The leader's; agents refuse lower ones than they have seen.
        not_after: From then on the agent does not begin.
        config: What ``apply-updates`` applies.
        force: Apply also what is current.
        restart_agent: Restart the process afterwards.
    """

    action: RunName
    action_id: Uuid
    epoch: int = Field(ge=0)
    not_after: AwareDatetime
    config: AgentProfile | None = None
    force: bool = False
    restart_agent: bool = False


class ActionReport(Wire):
    """Where an action stands at its agent.

    Attributes:
        state: ``interrupted``: its process ended meanwhile. ``abandoned``: it was asked about
            before it came, and will never run.
        final: The state will not change any more.
    """

    action_id: Uuid
    action: ShortText = ""
    state: ActionRunState
    final: bool
    message: Message = ""
    started_at: AwareDatetime | None = None
    finished_at: AwareDatetime | None = None
    detail: dict[ShortText, Message] = Field(default_factory=dict, max_length=64)
    diagnostics: DeepHealth | None = None


class Refusal(Wire):
    """Body of every error."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    message: Message = ""


class Order(Wire):
    """What one agent is told to install.

    Attributes:
        task_id: One for each attempt; the agent carries out each at most once.
        epoch: The leader's; agents refuse lower ones than they have seen.
        not_after: From then on the agent neither starts nor switches.
        url: Where the agent pulls the bytes.
        force: Install although the digest runs already.
    """

    task_id: Uuid
    epoch: int = Field(ge=0)
    not_after: AwareDatetime
    slug: ShortText
    version: ShortText
    sha256: Sha256
    size_bytes: int = Field(ge=1)
    key_id: ShortText
    signature: ShortText
    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    force: bool = False
