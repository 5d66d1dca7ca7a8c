"""CSV and its kin: the dialect is found, each record told apart exactly, damaged ones mended or given up."""
