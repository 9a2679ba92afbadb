"""Inference of exported models with ONNX Runtime."""
