"""A room of learners on one screen."""
