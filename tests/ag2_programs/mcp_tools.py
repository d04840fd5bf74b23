"""AG2's MCP client: `create_toolkit(session)` and `agent.a_run` with its tools, as in the guide.

The server's tool runs, the agent speaks. Two calls.
"""

from autogen import ConversableAgent
from autogen.mcp import create_toolkit
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session

server = FastMCP("sums")


@server.tool()
def add(a: int, b: int) -> str:
    """Add two numbers."""
    return f"The sum is {a + b}"


async def on_message(message, chat):
    async with create_connected_server_and_client_session(server._mcp_server) as session:
        await session.initialize()
        toolkit = await create_toolkit(session=session)
        agent = ConversableAgent("adder", system_message="You are adder.", llm_config=chat.llm_config)
        toolkit.register_for_llm(agent)
        response = await agent.a_run(message=message, tools=toolkit.tools, max_turns=2, user_input=False)
        await response.process()
        return await response.summary


def answers(asked):
    return None if asked.tells else [("add", {"a": 2, "b": 3})]


def check(turns):
    assert all("The sum is 5" in turn.results[0] for turn in turns[:3])


EXPECTED = {
    "calls": 2,
    "says": ["adder"],
    "summary": "adder gives answer 2 in turn {turn}.",
    "memory": False,
    "stop": 2,
}
