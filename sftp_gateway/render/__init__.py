"""The files of a brand's home that are made from the store: what they say, and when they are painted."""
