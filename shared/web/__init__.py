"""What every service's HTTP side shares: the app's frame, the edge, access, problems, health, pages."""
