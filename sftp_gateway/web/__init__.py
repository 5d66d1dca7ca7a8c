"""The status endpoint: health, metrics, the API and one page for people."""
