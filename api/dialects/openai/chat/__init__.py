"""OpenAI's chat completions and responses: texts, whole or while they are written."""
