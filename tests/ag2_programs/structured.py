"""Structured output: a pydantic response_format in an LLMConfig, read back into its class.

The answer is made of its fields. One call.
"""

from autogen import ConversableAgent, LLMConfig
from pydantic import BaseModel


class Recipe(BaseModel):
    title: str
    minutes: int

    def format(self) -> str:
        return f"{self.title}: {self.minutes} min"


def on_message(message, chat):
    config = LLMConfig(*chat.llm_config.config_list, response_format=Recipe)
    agent = ConversableAgent("cook", system_message="You are cook.", llm_config=config, human_input_mode="NEVER")
    response = agent.run(message=message, max_turns=1, user_input=False)
    response.process()
    return Recipe.model_validate_json(list(response.messages)[-1]["content"]).format()


def answers(asked):
    return f'{{"title": "Soup {asked.turn}", "minutes": 20}}'


EXPECTED = {"calls": 1, "summary": "Soup {turn}: 20 min", "memory": False}
