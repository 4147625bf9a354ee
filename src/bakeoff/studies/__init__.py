"""Studies: what is missing is trained, then the report is written."""
