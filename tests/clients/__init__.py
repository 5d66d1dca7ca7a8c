"""Drivers of real SFTP clients for tests/e2e/test_clients.py: each does the same things its own way.

A driver has a method for each thing its client can do; what it cannot do it has no method for.
"""
