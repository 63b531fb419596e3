"""The workspace as users hold it: class Workspace, and a module for each of its verbs."""
