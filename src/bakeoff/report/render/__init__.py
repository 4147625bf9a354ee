"""Blocks, figures and pages as HTML, Markdown, LaTeX, CSV and SVG."""
