r"""Trains one ResNet-18 on half of a data set: the members.

    qmia train --run_dir=runs/cifar_w4a4 --dataset=cifar10 \
        --recipe=paper_cifar10 --weight_bits=4 --activation_bits=4

Writes config.json, split.npz, history.csv and model.keras into --run_dir. With
--tensorboard it adds a log that `tensorboard --logdir=RUN_DIR` shows.

If it is stopped, the same command goes on and ends with the same weights. A
finished run is left alone. On two free cores the digits take less than a
minute, CIFAR-10 with the imagenet stem half a minute an epoch.
"""

from absl import flags

from qmia_tf import quiet
from qmia_tf.programs import early_checks, flag_values, options

FLAGS = flags.FLAGS
BITS = {
    "weight_bits": (32, "bits of weights, 1..32; 32 is float"),
    "activation_bits": (32, "bits of activations, 1..32; 32 is float"),
    "first_last_bits": (
        None,
        "bits of the first and last layer, 2..32; default: 8 where "
        "--weight_bits is 8 or less, else 32",
    ),
    "residual_bits": (
        None,
        "bits of residual branches, 8 or 32; default: 8 where "
        "--activation_bits is 8 or less, else 32",
    ),
    "gradient_bits": (32, "bits of gradients in training, 1..32; 32 is off"),
}


def define_flags():
    """Defines the flags."""
    flags.DEFINE_string("run_dir", None, "the run directory")
    for name, (default, text) in BITS.items():
        flags.DEFINE_integer(name, default, text)
    flags.DEFINE_boolean(
        "clip", False, "keep the [0, 1] clip at 32 activation bits"
    )
    flags.DEFINE_integer(
        "keep_every",
        0,
        "keep the model of every so many epochs; 0 keeps none",
        lower_bound=0,
    )
    options.define_data()
    options.define_training()


def main(argv):
    """Trains as the flags say."""
    del argv
    run_dir = flag_values.required("run_dir")
    tensorboard_every = early_checks.tensorboard_every()
    from qmia_tf.experiments import configuration, training_run
    from qmia_tf.models.network_bits import Bits

    values = {
        name.removesuffix("_bits"): flag_values.value(name) for name in BITS
    }
    bits = Bits(**values, clip=FLAGS.clip)
    recipe = options.recipe()
    options.check_data()
    quiet.start_tensorflow()
    dataset = options.load_data()
    config = configuration.describe(
        dataset, recipe=recipe, bits=bits, **options.split_and_seed()
    )
    trained = training_run.train_run(
        run_dir,
        dataset,
        config,
        keep_every=FLAGS.keep_every,
        tensorboard_every=tensorboard_every,
    )
    print(
        f"{run_dir}/model.keras is "
        + ("trained" if trained else "finished already: nothing to do")
    )
