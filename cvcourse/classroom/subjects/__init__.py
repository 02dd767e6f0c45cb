"""What several lessons of one subject share; imported by module."""
