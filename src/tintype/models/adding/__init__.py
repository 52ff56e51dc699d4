"""Models of other makers, taken over as cards: from ONNX files, folders of Hugging Face's layout, and its hub."""
