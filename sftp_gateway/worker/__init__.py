"""Takes a brand's next upload, has a child process work on it, makes the end true: in one place, both sides of the fork."""
