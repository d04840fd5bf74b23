"""Pictures that agents say, and those that people name."""

from __future__ import annotations

from pathlib import Path

from tests.agent_files import write_agents
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
