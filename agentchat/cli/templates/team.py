"""A writer drafts, a critic comments, an editor finishes. Shows a team that takes turns."""

from autogen import ConversableAgent, LLMConfig
from autogen.agentchat.group.patterns import RoundRobinPattern

from agentchat.chat import Chat

SUGGESTIONS = ["A slogan for a bicycle shop", "A birthday greeting for a colleague"]


def build(llm_config: LLMConfig, chat: Chat) -> RoundRobinPattern:
    def member(name: str, task: str) -> ConversableAgent:
        return ConversableAgent(name, system_message=task, llm_config=llm_config, human_input_mode="NEVER")

    writer = member("writer", "You draft what the person asks for. Give the text only.")
    critic = member("critic", "You say in one sentence how the writer's draft gets better.")
    editor = member("editor", "You improve the draft as the critic says. Give the text only.")

    # Each message is answered in one round. Other patterns: AutoPattern lets a model choose who speaks, DefaultPattern
    # follows hand-offs. `Run(pattern, max_turns=5)` from agentchat.chat would limit the messages of a turn.
    return RoundRobinPattern(initial_agent=writer, agents=[writer, critic, editor])
