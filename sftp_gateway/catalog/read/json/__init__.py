"""JSON: an array of products, an object that holds one, JSON Lines."""
