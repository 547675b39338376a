"""Anthropic's Messages for applications whose provider speaks OpenAI."""
