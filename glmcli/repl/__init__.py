"""The conversation at the terminal (`glm chat` without a prompt)."""
