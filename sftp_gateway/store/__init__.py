"""What we must not forget: brands, drafts, uploads, jobs, versions, files, tokens."""
