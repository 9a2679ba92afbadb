"""trajnet: where the road users around a vehicle will be over the next seconds, in real time."""

__version__ = "0.1.0"
