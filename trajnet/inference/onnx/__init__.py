"""Exported models, served by ONNX Runtime."""
