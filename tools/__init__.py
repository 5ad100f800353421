"""What maintainers run: the shipped models made and checked, the reference.

`model_build` trains and exports what lies in tflite_models/, `manifest_check`
compares those files with their manifest, and `make_reference` writes
docs/reference.md. Of a checkout alone: setup.py does not install it.
"""
