"""A model client of the program's own (register_model_client), which needs no server.

It answers with what it was told. No calls at the server's model.
"""

from types import SimpleNamespace

from autogen import AssistantAgent, UserProxyAgent


class Parrot:
    def __init__(self, config, **kwargs):
        self.model = config["model"]

    def create(self, params):
        said = [message["content"] for message in params["messages"] if message["role"] == "user"]
        message = SimpleNamespace(content=f"Squawk {len(said)}: {said[-1]} after {said[0]}", function_call=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model=self.model)

    def message_retrieval(self, response):
        return [choice.message.content for choice in response.choices]

    def cost(self, response):
        return 0

    @staticmethod
    def get_usage(response):
        return {}


def build(llm_config, chat):
    parrot = AssistantAgent("parrot", llm_config={"config_list": [{"model": "parrot-1", "model_client_cls": "Parrot"}]})
    parrot.register_model_client(model_client_cls=Parrot)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, max_consecutive_auto_reply=0)
    return user, parrot


def check(turns):
    assert "Plum" in turns[2].summary, turns[2].summary


EXPECTED = {"calls": 0, "summary": "Squawk {turn}: Turn {turn}", "stop": None, "memory": False}
