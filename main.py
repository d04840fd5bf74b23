"""Start the chat server: `python main.py`, or `python main.py demo` for the offline demo model."""

from agentchat import cli

if __name__ == "__main__":
    cli.run()
