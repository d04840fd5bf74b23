"""A chat server for AG2 agents: a session is a log, a connection is a cursor."""

__version__ = "0.1.0"
