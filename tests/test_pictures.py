"""Pictures that agents say, and those that people name."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.agent_files import PICTURES, write_agents
from tests.clients import ChatClient, contents
from tests.conftest import Serve
from tests.model_server import ModelServer


def test_pictures_are_shown(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A picture that an agent says goes out as an address that the page can show; a large one gets smaller."""
    served = serve("--agents", write_agents(tmp_path, painter=PAINTER), model=model)
    with ChatClient(served.websocket, agent="painter") as client:
        frames = client.ask("Paint.")
        client.ask("Paint.")
    [_, text] = contents(frames, "text")
    small, large = (part["image_url"]["url"] for part in text["content"][1:])
    assert small.startswith("data:image/png;base64,")
    assert large.startswith("data:image/jpeg;base64,")
    assert len(large) < 700_000
    assert [content["status"] for content in contents(client.log, "turn_completed")] == ["completed"] * 2
    assert contents(client.log, "error") == []


def test_people_cannot_name_files_or_private_addresses(serve: Serve, model: ModelServer, tmp_path: Path) -> None:
    """A picture that a person names is not read from the server's disk or network; one that an agent names is."""
    picture = tmp_path / "secret.png"
    Image.new("RGB", (2, 2), "red").save(picture)
    served = serve(
        "--agents", write_agents(tmp_path, pictures=PICTURES, group=GROUP, own=OWN.format(path=picture)), model=model
    )
    names = [str(picture), f"'{picture}'", f"{model.base_url}/private.png", "http://localhost:1/a.png", "file:///etc/a"]
    with ChatClient(served.websocket, agent="pictures") as client:
        for name in names:
            client.ask(f"Look: <img {name}>")
            assert "image_url" not in str(model.requests[-1])
    assert all("private.png" not in path for path, _ in model.asked)
    with ChatClient(served.websocket, agent="group") as client:
        client.ask(f"Look: <img {picture}>")
        client.ask("And?")
        client.command("retry")  # the agents are built again
        client.until("turn_completed")
        assert "image_url" not in str(model.requests[-1])
    with ChatClient(served.websocket, agent="own") as client:
        client.ask("Look.")
        assert "image_url" in str(model.requests[-1])


OWN = '''
"""Shows a picture of its own to another agent."""
from autogen import UserProxyAgent
from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent

class Person(UserProxyAgent):
    def send(self, message, recipient, *args, **kwargs):
        super().send(f"<img {path}> {{message}}", recipient, *args, **kwargs)

def build(llm_config, chat):
    agent = MultimodalConversableAgent("explainer", llm_config=llm_config)
    user = Person("person", human_input_mode="NEVER", max_consecutive_auto_reply=0, code_execution_config=False)
    return user, agent
'''

GROUP = '''
"""A group with an agent that sees."""
from autogen import GroupChat, GroupChatManager, UserProxyAgent
from autogen.agentchat.contrib.multimodal_conversable_agent import MultimodalConversableAgent

def build(llm_config, chat):
    agent = MultimodalConversableAgent("explainer", llm_config=llm_config)
    user = UserProxyAgent("person", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    group = GroupChat([user, agent], [], max_round=2, speaker_selection_method="round_robin")
    return user, GroupChatManager(group, llm_config=llm_config, human_input_mode="NEVER")
'''

PAINTER = '''
"""Paints."""
import random
from autogen import ConversableAgent, UserProxyAgent
from PIL import Image

def build(llm_config, chat):
    def paint(recipient, messages, sender, config):
        large = Image.frombytes("RGB", (1500, 1000), random.Random(1).randbytes(4_500_000))
        parts = [{"type": "image_url", "image_url": {"url": each}} for each in (Image.new("RGB", (2, 2)), large)]
        return True, {"content": [{"type": "text", "text": "Two pictures"}, *parts]}

    agent = ConversableAgent("painter", llm_config=llm_config, human_input_mode="NEVER")
    agent.register_reply([ConversableAgent, None], paint)
    user = UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, default_auto_reply=None)
    return user, agent
'''
