"""From bytes to an upload we own: when is a draft finished, and whose is it then."""
