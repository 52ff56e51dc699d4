"""Findings from columns, one file a finder."""
