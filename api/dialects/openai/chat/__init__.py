"""OpenAI's chat completions: texts, whole or while they are written."""
