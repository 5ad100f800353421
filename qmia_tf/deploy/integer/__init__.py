"""From a trained network to a .tflite file of integer kernels."""
