"""The control plane's side of talking to agents. See :class:`AgentClient`."""

from hydracore_agentclient.client import AgentClient
from hydracore_agentclient.endpoint import AgentEndpoint
from hydracore_agentclient.errors import (
    AgentError,
    InvalidAnswer,
    KeyFileError,
    NoConnection,
    Refused,
    Timeout,
    UnknownTask,
    Unreachable,
    WrongIdentity,
)
from hydracore_agentclient.keys import ControlPlaneKey, bootstrap_token, key_id
from hydracore_agentclient.models import (
    FINAL_TASK_STATES,
    ActionCommand,
    ActionReport,
    AgentProfile,
    AgentStatus,
    Conversation,
    ConversationList,
    ConversationMessage,
    ConversationSummary,
    DeepHealth,
    Order,
    Subsystem,
    TaskReport,
)

__all__ = [
    "FINAL_TASK_STATES",
    "ActionCommand",
    "ActionReport",
    "AgentClient",
    "AgentEndpoint",
    "AgentError",
    "AgentProfile",
    "AgentStatus",
    "ControlPlaneKey",
    "Conversation",
    "ConversationList",
    "ConversationMessage",
    "ConversationSummary",
    "DeepHealth",
    "InvalidAnswer",
    "KeyFileError",
    "NoConnection",
    "Order",
    "Refused",
    "Subsystem",
    "TaskReport",
    "Timeout",
    "UnknownTask",
    "Unreachable",
    "WrongIdentity",
    "bootstrap_token",
    "key_id",
]
