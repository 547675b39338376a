"""A reverse proxy that answers OpenAI calls from the first provider that can."""

__version__ = "0.1.0"
