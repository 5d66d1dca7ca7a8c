"""Accepted rows beside the current version: what differs, what the guards say, what is done."""
