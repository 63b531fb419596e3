"""Images, frames and tiles as items to work through: their status, quality, note and who does them. Reads no voxels."""
