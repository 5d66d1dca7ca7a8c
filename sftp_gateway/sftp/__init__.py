"""The front door: bytes in. Knows drafts and the home's view, never what is inside a file."""
