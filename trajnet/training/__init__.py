"""Training: the model, its data, its loss, the trainer. The only part of trajnet, with export, that imports torch."""
