"""Networks with operations on tensors and layers that stay in floats."""

import keras
from keras import layers


def transfer(preprocess, base=None, shape=(16, 16, 3)):
    """The transfer-learning guide's model: preprocess_input, a base inside."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape, name="pixels")
    augment = keras.Sequential(
        [layers.RandomFlip("horizontal"), layers.RandomRotation(0.2)],
        name="augment",
    )
    base = base or _base(shape)
    x = base(preprocess(augment(inputs)), training=False)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def _base(shape):
    x = inputs = keras.Input(shape)
    x = layers.Conv2D(6, 3, name="stem", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.0)(x))
    x = layers.Conv2D(8, 3, name="top")(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.0)(x))
    return keras.Model(inputs, x, name="base")


def mobilenet_v3(shape=(16, 16, 3)):
    """The blocks of MobileNetV3: hard swish, squeeze and excitation."""
    keras.utils.set_random_seed(0)

    def norm(x):
        return layers.BatchNormalization(momentum=0.0)(x)

    def gate(x):
        return layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)

    x = inputs = keras.Input(shape, name="pixels")
    x = layers.Rescaling(1 / 127.5, -1.0)(x)
    x = norm(layers.Conv2D(6, 3, strides=2, padding="same", name="stem")(x))
    x = short = layers.Activation("hard_swish", name="swish")(x)
    x = layers.ReLU(name="wide_relu")(
        norm(layers.Conv2D(12, 1, name="wide")(x))
    )
    x = norm(layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x))
    x = block = layers.ReLU(name="block_relu")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    x = layers.Conv2D(4, 1, name="reduce")(x)
    x = layers.Conv2D(12, 1, name="excite")(layers.ReLU()(x))
    x = layers.Multiply(name="scaled")([block, gate(x)])
    x = layers.Add(name="sum")([short, norm(layers.Conv2D(6, 1)(x))])
    x = layers.Activation("hard_swish", name="last_swish")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, name="logits")(x))


@keras.saving.register_keras_serializable("qmia_tf_tests")
class Scale(layers.Layer):
    """A number a channel, as ConvNeXt's LayerScale."""

    def build(self, shape):
        self.gamma = self.add_weight(
            shape=(shape[-1],), initializer=keras.initializers.Constant(0.5)
        )

    def call(self, x):
        return x * self.gamma


def convnext(shape=(16, 16, 3)):
    """Two blocks of ConvNeXt: grouped convolutions, layer norms, gelu."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape, name="pixels")
    x = layers.Normalization(mean=[120.0] * 3, variance=[3600.0] * 3)(inputs)
    stem = keras.Sequential(
        [
            layers.Conv2D(8, 4, strides=4, name="stem_conv"),
            layers.LayerNormalization(name="stem_norm"),
        ],
        name="stem",
    )
    x = stem(x)
    for block in ("a", "b"):
        y = layers.Conv2D(
            8, 3, padding="same", groups=8, name=f"{block}_depthwise"
        )(x)
        y = layers.LayerNormalization(name=f"{block}_norm")(y)
        y = layers.Dense(32, name=f"{block}_up")(y)
        y = layers.Activation("gelu", name=f"{block}_gelu")(y)
        y = layers.Dense(8, name=f"{block}_down")(y)
        y = Scale(name=f"{block}_scale")(y)
        x = x + layers.Activation("linear", name=f"{block}_identity")(y)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.LayerNormalization(name="head_norm")(x)
    return keras.Model(inputs, layers.Dense(5, name="logits")(x))


class Backbone(keras.Model):
    """A functional graph in a subclassed model, as KerasHub builds them.

    Its get_config gives arguments and no layers. With `before` the norms
    stand in front of the convolutions (ResNetV2).
    """

    def __init__(self, width=8, before=False, **kwargs):
        x = inputs = keras.Input((16, 16, 3), name="pixels")
        x = layers.ZeroPadding2D(1, name="conv1_pad")(x)
        x = layers.Conv2D(
            width, 3, strides=2, use_bias=False, name="conv1_conv"
        )(x)
        if before:
            pads = [[0, 0], [1, 1], [1, 1], [0, 0]]
            x = keras.ops.pad(x, pads, constant_values=float("-inf"))
        else:
            x = _norm_relu(x, "conv1")
            x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
        for block in range(2):
            x = _block(x, width, before, f"stack0_block{block}")
        if before:
            x = _norm_relu(x, "post")
        super().__init__(inputs=inputs, outputs=x, **kwargs)
        self.width, self.before = width, before

    def get_config(self):
        return {"name": self.name, "width": self.width, "before": self.before}


def _norm_relu(x, name):
    x = layers.BatchNormalization(momentum=0.0, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def _conv(x, width, name):
    return layers.Conv2D(
        width, 3, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)


def _block(x, width, before, name):
    y = _norm_relu(x, f"{name}_pre_activation") if before else x
    y = _norm_relu(_conv(y, width, f"{name}_1"), f"{name}_1")
    y = _conv(y, width, f"{name}_2")
    if before:
        return layers.Add(name=f"{name}_out")([x, y])
    y = layers.BatchNormalization(momentum=0.0, name=f"{name}_2_bn")(y)
    x = layers.Add(name=f"{name}_add")([x, y])
    return layers.Activation("relu", name=f"{name}_out")(x)


class Classifier(keras.Model):
    """A task around a backbone whose input is the task's own."""

    def __init__(self, backbone, **kwargs):
        x = backbone(backbone.input)
        x = layers.GlobalAveragePooling2D(name="pooler")(x)
        x = layers.Dropout(0.0, name="output_dropout")(x)
        x = layers.Dense(5, name="predictions")(x)
        super().__init__(inputs=backbone.input, outputs=x, **kwargs)

    def get_config(self):
        return {"name": self.name}


def hub_resnet(before=False):
    """KerasHub's image classifier around a small ResNet, version 1 or 2."""
    keras.utils.set_random_seed(0)
    return Classifier(Backbone(before=before, name="backbone"), name="task")
