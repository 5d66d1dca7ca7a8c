"""Rows as text become typed rows and findings, a block at a time; `check` is the door."""
