"""From images and labels to windows: splits, sampling, augmentation. Knows no network."""
