"""The bytes of a text file: which encoding they are in, and the way to UTF-8 and back."""
