"""trajnet: real-time prediction of the trajectories of the road users around a vehicle."""

__version__ = "0.1.0"
