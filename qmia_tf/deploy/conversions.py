"""The seven conversions: a trained network -> the bytes of a .tflite file."""

import dataclasses
import functools
import pathlib

import keras

from qmia_tf.deploy import calibration_images
from qmia_tf.deploy.calibration_images import Members
from qmia_tf.deploy.export_settings import Settings
from qmia_tf.deploy.integer import int8_file, integer_network
from qmia_tf.deploy.tflite import post_training
from qmia_tf.deploy.tfmot import baseline


@dataclasses.dataclass(frozen=True)
class Job:
    """What a conversion is made of.

    Attributes:
        model: keras.Model, frozen (keras_files.freeze).
        members: calibration.Members, or None where no scheme needs them.
        settings: settings.Settings.
        folder: where a conversion that takes minutes keeps what it has so
            far.
    """

    model: keras.Model
    members: Members | None
    settings: Settings
    folder: pathlib.Path

    @functools.cached_property
    def images(self):
        """The calibration images, drawn from the members."""
        return calibration_images.draw(
            self.members.records[0],
            count=self.settings.calibration_records,
            seed=self.settings.calibration_seed,
            shape=self.model.input_shape[1:],
        )


@dataclasses.dataclass(frozen=True)
class Converted:
    """What a conversion gives.

    Attributes:
        content: bytes of the .tflite file.
        float_layers: names of the layers that are meant to stay in floats.
        outputs: "probabilities" or "logits".
        twin: keras.Model that computes the same integers, or None.
    """

    content: bytes
    float_layers: tuple[str, ...] = ()
    outputs: str = "probabilities"
    twin: keras.Model | None = None


def to_float32(job):
    """The quantized network's exact codes in float kernels."""
    return Converted(post_training.to_float32(job.model))


def to_float16(job):
    """The same with float16 constants."""
    return Converted(post_training.to_float16(job.model))


def to_dynamic(job):
    """The same with int8 weights and inputs that are rounded as they come."""
    return Converted(post_training.to_dynamic(job.model))


def to_int8_ptq(job):
    """Full-integer quantization after training."""
    return Converted(post_training.to_int8_ptq(job.model, job.images))


def to_int8(job):
    """The trained codes in int8 kernels, the head in floats."""
    return _of_twin(integer_network.fold(job.model))


def to_int8_io(job):
    """The trained codes in int8 kernels, integers to the very end."""
    logits = integer_network.calibrate(
        integer_network.fold(job.model), job.images
    )
    outputs = job.settings.int8_output
    twin = integer_network.fold(
        job.model, head="integer", outputs=outputs, logits_range=logits
    )
    return _of_twin(
        twin, outputs="logits" if outputs == "logits" else "probabilities"
    )


def to_tfmot_int8(job):
    """The fine-tuning of tfmot's quantization-aware network, converted."""
    content = baseline.to_tflite(
        job.model,
        job.members.records,
        calibration_images=job.images,
        recipe=job.settings.recipe,
        epochs=job.settings.tfmot_epochs,
        seed=job.settings.seed,
        folder=job.folder / "tfmot_work",
    )
    return Converted(content)


def _of_twin(twin, outputs="probabilities"):
    return Converted(
        int8_file.to_tflite(twin),
        float_layers=tuple(int8_file.float_layers(twin)),
        outputs=outputs,
        twin=twin,
    )
