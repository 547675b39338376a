"""OpenAI's Responses API: for applications of any provider, and of providers that have it."""
