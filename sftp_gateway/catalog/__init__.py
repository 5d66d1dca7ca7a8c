"""From an upload to a version: values in, values out, until the last step."""
