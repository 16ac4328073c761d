"""A plugin that works."""

NAME = "shout"


def register(registry):
    registry.add_skill(
        description="repeats a message in capitals, e.g. shout: hello",
        matches=lambda message: message.startswith("shout:"),
        answer=lambda message: message.removeprefix("shout:").strip().upper(),
    )
