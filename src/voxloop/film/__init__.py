"""Pictures and films of slices, marks and surfaces, drawn without a screen. Knows no workspace and no widgets."""
