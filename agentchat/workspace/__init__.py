"""The files of a conversation, opened safely, and what a turn changed in them."""
