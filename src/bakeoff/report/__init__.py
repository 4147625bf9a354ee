"""A study's records, rendered: a page for people, the same in Markdown, and summary.json for programs."""
