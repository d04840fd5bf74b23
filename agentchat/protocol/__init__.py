"""The wire as values: events, errors, questions, tasks, and checks of what people send."""
