"""Graph patterns of networks of one's own, each in a network of its own.

What quantize_model makes of MobileNets, VGGs, Inceptions and plain networks,
built by hand: a first layer, one pattern, a head.
"""

import integer_nets
import keras
import numpy as np

from qmia_tf import layers
from qmia_tf.deploy.integer import code_movement, int8_file
from qmia_tf.deploy.integer.graph_conversion import Conversion
from qmia_tf.deploy.integer.layer_ops import OPS, LayerOp
from qmia_tf.deploy.integer.pending_values import Codes
from qmia_tf.quantizers import grids

PAIRS = ((2, 2), (4, 4), (7, 8), (1, 1))  # bits of weights and activations
SHAPE = (9, 7, 3)


class Maker:
    """Makes the layers of a pattern at one pair of bit widths."""

    def __init__(self, weight_bits, activation_bits):
        self.weight_bits = weight_bits
        self.bits = activation_bits

    def act(self, x, **options):
        """To codes from 0 to 1."""
        return layers.DoReFaActivation(self.bits, **options)(x)

    def signed(self, x, **options):
        """To codes of either sign."""
        return layers.ResidualQuantizer(self.bits, linear=True, **options)(x)

    def norm(self, x):
        """A batch norm."""
        return keras.layers.BatchNormalization()(x)

    def conv(self, x, *arguments, norm=True, **options):
        """Sums of a convolution, as a rule behind a batch norm."""
        options = {"padding": "same", "use_bias": not norm, **options}
        options.setdefault("weight_bits", self.weight_bits)
        x = layers.DoReFaConv2D(*arguments, **options)(x)
        return self.norm(x) if norm else x

    def depthwise(self, x, *arguments, **options):
        """Sums of a depthwise convolution behind a batch norm."""
        options = {"padding": "same", "use_bias": False, **options}
        options.setdefault("weight_bits", self.weight_bits)
        return self.norm(layers.DoReFaDepthwiseConv2D(*arguments, **options)(x))

    def average(self, x, size, *, signed=False, **options):
        """Averages on the grid of what they average."""
        make = grids.linear_grid if signed else grids.activation_grid
        scale = make(self.bits).scale
        return layers.RoundedAveragePooling2D(size, scale=scale, **options)(x)


def _depthwise(m, x):
    x = m.act(m.depthwise(x, 3, strides=2, depth_multiplier=2))
    return m.act(m.depthwise(x, (2, 3)))


def _separable(m, x):
    x = m.signed(m.depthwise(x, 3))
    return m.act(m.conv(x, 9, 1))


def _bottlenecks(m, x):
    first = m.signed(m.conv(x, 6, 1))
    y = m.act(m.conv(first, 12, 1))
    y = m.signed(m.conv(m.act(m.depthwise(y, 3)), 6, 1))
    total = m.signed(keras.layers.Add()([first, y]))
    y = m.signed(m.conv(m.act(m.conv(total, 12, 1)), 6, 1))
    total = m.signed(keras.layers.Add()([total, y]))
    return m.act(m.conv(total, 9, 1))


def _three_addends(m, x):
    parts = [m.signed(m.conv(x, 6, size)) for size in (1, 3, 2)]
    total = m.signed(keras.layers.Add()(parts[:2]))
    total = m.signed(keras.layers.Add()([total, parts[2]]))
    return m.act(m.conv(total, 9, 1))


def _unit_and_signed(m, x):
    y = m.signed(m.conv(x, x.shape[-1], 3))
    total = m.signed(keras.layers.Add()([x, y]))
    clipped = m.act(keras.layers.Add()([y, x]))
    both = m.act(keras.layers.Add()([clipped, x]))
    return m.act(m.conv(m.signed(keras.layers.Add()([total, both])), 9, 1))


def _paddings(m, x):
    x = keras.layers.ZeroPadding2D(((0, 1), (2, 0)))(x)
    x = m.act(m.depthwise(x, 3, strides=2, padding="valid"))
    x = m.signed(m.conv(x, 6, 1))
    x = keras.layers.ZeroPadding2D(2)(x)
    return m.act(m.conv(x, 9, 3, padding="valid"))


def _concatenations(m, x):
    y, z = m.act(m.conv(x, 5, 3)), m.act(m.conv(x, 3, 1))
    unit = keras.layers.Concatenate()([x, y, z])
    left = m.signed(m.conv(unit, 5, 1))
    right = m.signed(m.conv(unit, 4, 3))
    x = keras.layers.Concatenate(axis=-1)([left, m.signed(x), right])
    x = m.act(m.conv(x, 6, 1))
    return keras.layers.Concatenate(axis=1)([x, x])


def _averages(m, x):
    y = m.average(x, 2, padding="valid")
    y = m.act(m.conv(y, 6, 1))
    y = m.average(y, (2, 3), strides=1)
    z = m.signed(m.conv(y, 7, 1))
    z = m.average(z, (2, 1), strides=1, signed=True)
    return m.act(m.conv(z, 9, 1))


def _stock_averages(m, x):
    """Keras's own averages, which the activation behind them rounds."""
    x = m.act(keras.layers.AveragePooling2D(2)(x))
    x = keras.layers.AveragePooling2D((2, 1))(x)
    x = m.act(m.norm(x))
    x = m.act(keras.layers.GlobalAveragePooling2D()(x))
    x = layers.DoReFaDense(20, weight_bits=m.weight_bits)(x)
    return m.act(m.norm(x))


def _kept_axes(m, x):
    """MobileNet's head: an average of 1x1, a convolution, a Reshape."""
    x = m.norm(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
    x = m.act(m.conv(m.act(x), 12, 1, norm=False))
    return keras.layers.Reshape((12,))(x)


def _hidden_dense(m, x):
    # Windows that need no padding may say "same".
    x = m.average(x, tuple(x.shape[1:3]), padding="same")
    x = keras.layers.Flatten()(x)
    x = layers.DoReFaDense(20, weight_bits=m.weight_bits)(x)
    return keras.layers.Dropout(0.5)(m.act(m.norm(x)))


def _norms_of_codes(m, x):
    y = m.act(m.norm(x))
    y = keras.layers.Concatenate()([m.signed(m.conv(y, 5, 3)), m.signed(x)])
    y = m.act(m.norm(y))
    return m.act(m.signed(m.norm(y)))


def _moves(m, x):
    """Layers between a norm and its activation, and ones that do nothing."""
    x = keras.layers.MaxPooling2D(2, padding="same")(m.conv(x, 8, 3))
    x = keras.layers.SpatialDropout2D(0.3)(keras.layers.ZeroPadding2D(1)(x))
    x = keras.layers.GaussianNoise(0.1)(m.act(x))
    x = m.conv(x, 6, 1, norm=False, bias_initializer="random_normal")
    x = m.act(keras.layers.Reshape((-1, 6))(x))
    return keras.layers.Flatten()(x)


def _cut_and_turned(m, x):
    x = keras.layers.Cropping2D(((2, 0), (0, 1)))(x)
    x = m.signed(m.conv(x, 6, 1))
    return m.act(m.conv(keras.layers.Permute((2, 3, 1))(x), 9, 1))


def _largest(m, x):
    return m.act(keras.layers.GlobalMaxPooling2D(keepdims=True)(x))


def _plain(m, x):
    options = {"norm": False, "bias_initializer": "random_normal"}
    x = m.act(m.conv(x, 9, 3, **options))
    x = keras.layers.MaxPooling2D(2)(x)
    x = m.act(m.conv(x, 7, 3, padding="valid", **options))
    x = keras.layers.Reshape((-1,))(x)
    options = {"bias_initializer": "random_normal"}
    x = layers.DoReFaDense(20, weight_bits=m.weight_bits, **options)(x)
    return keras.layers.Dropout(0.5)(m.act(x))


BODIES = {
    "depthwise": _depthwise,
    "separable": _separable,
    "bottlenecks": _bottlenecks,
    "three addends": _three_addends,
    "unit and signed": _unit_and_signed,
    "paddings": _paddings,
    "concatenations": _concatenations,
    "averages": _averages,
    "stock averages": _stock_averages,
    "kept axes": _kept_axes,
    "hidden dense": _hidden_dense,
    "cut and turned": _cut_and_turned,
    "norms of codes": _norms_of_codes,
    "moves": _moves,
    "largest": _largest,
    "plain": _plain,
}


def network(name, weight_bits, activation_bits, *, shape=SHAPE, seed=0):
    """One of BODIES between a first layer and a head.

    Its batch norms have negative and zero scales, its biases are random.
    """
    keras.utils.set_random_seed(seed)
    maker = Maker(weight_bits, activation_bits)
    pixels = keras.Input(shape, name="pixels")
    x = maker.act(maker.conv(pixels, 8, 3, **integer_nets.EDGE), name="first")
    x = BODIES[name](maker, x)
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.DoReFaDense(
        10, activation="softmax", name="logits", **integer_nets.EDGE
    )(x)
    model = keras.Model(pixels, x, name="net")
    return integer_nets.randomize(model, seed=seed)


def trained_levels(model, twin, pixels):
    """Of every layer that rounds: the trained model's levels and the twin's.

    Returns: dict name -> (trained, twin), NumPy arrays.
    """
    from qmia_tf.deploy.parity import observed_networks

    trained, folded = (
        observed_networks.Trained(model),
        observed_networks.Twin(twin),
    )
    theirs, _ = trained.run(pixels, folded)
    ours, _ = folded.run(pixels)
    return {name: (np.asarray(theirs[name]), ours[name]) for name in theirs}


def averages_alone(grid, size):
    """A RoundedAveragePooling2D of one channel: trained, twin, and file.

    Returns: (keras.Model of values, keras.Model of levels, bytes of a file
        that reads int8 codes).
    """
    shape = (*size, 1)
    values = keras.Input(shape, name="codes")
    layer = layers.RoundedAveragePooling2D(
        size, scale=grid.scale, name="average"
    )
    trained = keras.Model(values, layer(values))
    source = Codes(keras.Input(shape, name="codes"), grid)
    ended = code_movement.rounded_average(Conversion(OPS), layer, source)
    twin = keras.Model(source.tensor, ended.tensor)

    def codes(file, layer):
        return file.add_tensor(layer, grid, shape=shape)

    ops = {**OPS, keras.layers.InputLayer: LayerOp(emit=codes)}
    return trained, twin, int8_file.File(twin, ops).to_bytes()
