"""Three dimensions in the page, and films: planes, surfaces, cuts, turntables, clips."""
