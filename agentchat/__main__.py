"""Start the chat server: `python -m agentchat`."""

from agentchat import cli

if __name__ == "__main__":
    cli.run()
