"""From what targets answered to what they give away: audit.json."""
