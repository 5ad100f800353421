"""Audits: from the outputs of targets to what they give away, audit.json."""
