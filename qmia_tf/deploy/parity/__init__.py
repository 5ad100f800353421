"""Does a .tflite file compute what was trained? Code by code."""
