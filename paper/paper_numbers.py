"""What the paper reports: tables 1 and 2, as plain data.

Kowalski, Famili and Lao, "Towards model quantization on the resilience
against membership inference attacks", ICIP 2022, DOI
10.1109/ICIP46576.2022.9897681.

Two Fashion-MNIST rows do not agree with themselves: F1 = 2PR/(P + R) of the
full-precision row is 68.59 where 66.15 is printed, of w=16, a=4 66.96 where
66.09 is printed. If the F1 column is right, both precisions are 51 and three
of the four models leak alike; if precision and recall are right, F1 was
mistyped. Nothing in the paper decides which.
"""

from qmia_tf.report.paper_tables import PublishedRow

# (data set, weight bits, activation bits) -> row
PAPER = {
    ("fashion_mnist", 32, 32): PublishedRow(85.92, 56.00, 66.15, 54.0, 94.0),
    ("fashion_mnist", 4, 4): PublishedRow(89.20, 54.00, 66.12, 51.0, 94.0),
    ("fashion_mnist", 16, 4): PublishedRow(89.08, 54.00, 66.09, 52.0, 94.0),
    ("fashion_mnist", 16, 16): PublishedRow(87.59, 56.03, 68.50, 54.0, 94.0),
    ("cifar10", 32, 32): PublishedRow(75.68, 62.15, 77.30, 63.0, 100.0),
    ("cifar10", 4, 4): PublishedRow(85.24, 57.32, 70.12, 54.0, 100.0),
    ("cifar10", 16, 4): PublishedRow(84.84, 57.52, 70.96, 55.0, 100.0),
    ("cifar10", 16, 16): PublishedRow(84.93, 57.53, 71.79, 56.0, 100.0),
}
