"""Test agents without a key and without a server. See docs/testing.md.

from agentchat.testing import ScriptedModel, call, talk
"""

from agentchat.testing.models import Model, Request, ScriptedModel
from agentchat.testing.recordings import record, recorded
from agentchat.testing.replies import RATE_LIMIT, REFUSED_KEY, UNREACHABLE, Call, Failure, Reply, call
from agentchat.testing.talks import Talk, talk
from agentchat.testing.transcript import Event, Problem, Question, ToolCall, Turn

__all__ = [
    "RATE_LIMIT",
    "REFUSED_KEY",
    "UNREACHABLE",
    "Call",
    "Event",
    "Failure",
    "Model",
    "Problem",
    "Question",
    "Reply",
    "Request",
    "ScriptedModel",
    "Talk",
    "ToolCall",
    "Turn",
    "call",
    "record",
    "recorded",
    "talk",
]
