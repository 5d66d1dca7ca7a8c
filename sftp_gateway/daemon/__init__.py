"""Builds every part of the gateway, joins them, starts them, stops them; what only the running process needs beside."""
