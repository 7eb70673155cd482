"""What happens when everything else goes wrong: faults of the service, the line, the system and the clock."""
