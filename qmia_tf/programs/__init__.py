"""What the programs of scripts/ share."""
