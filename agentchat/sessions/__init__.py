"""Conversations: their logs, readers, turns, open questions and participants."""
