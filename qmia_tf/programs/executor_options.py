"""The flags of programs that do many jobs, and what is made of them."""

from absl import flags

from qmia_tf.programs import flag_help
from qmia_tf.programs.flag_values import value


def define_flags():
    """Defines the flags."""
    with flag_help.group("Jobs"):
        flags.DEFINE_enum(
            "executor",
            "serial",
            ["serial", "process", "ray"],
            "one after another, in processes of this machine, or on Ray",
        )
        flags.DEFINE_integer(
            "jobs",
            None,
            "jobs at a time; default: as many as cores and memory allow",
            lower_bound=1,
        )
        flags.DEFINE_integer(
            "job_threads",
            1,
            "threads that each of them computes with",
            lower_bound=1,
        )
        flags.DEFINE_string(
            "ray_address",
            "local",
            "auto: the cluster of this machine; HOST:PORT; local: a new one",
        )


def resources():
    """Returns the Resources that the flags give."""
    from qmia_tf.experiments.executors import Resources

    return Resources(
        workers=value("jobs"),
        threads=value("job_threads"),
        ray_address=value("ray_address"),
    )
