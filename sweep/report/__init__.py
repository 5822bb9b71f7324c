"""Whole reports: headline, sections, and the offline page."""
