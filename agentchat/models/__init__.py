"""Models: which one answers, the way to its server, its streamed text, and an offline stand-in."""
