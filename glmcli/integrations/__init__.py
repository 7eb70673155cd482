"""Set-up of other programs: what stands in their files, and what should."""
