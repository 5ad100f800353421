"""One table of objects by name, which others can add to."""

import difflib
import importlib
import importlib.metadata

from qmia_tf.errors import InputError

GROUP = "qmia_tf.{}"


class Registry:
    """Objects by name, in the order in which they were added.

    A value may be the text "module:attribute", or "module"; the module is
    imported when the object is first asked for. Packages add objects by entry
    points of the group "qmia_tf." and the kind with an underscore for each
    space, such as "qmia_tf.export_scheme"; these are read at the first lookup.

    Args:
        kind: what one object is called in messages, such as "attack".
        objects: dict of names and objects or texts.
    """

    def __init__(self, kind: str, objects: dict | None = None):
        self.kind = kind
        self._objects = dict(objects or {})
        self._plugins_read = False

    def register(self, name: str, value, *, replace: bool = False):
        """Adds an object and returns it.

        Raises: InputError if the name is taken, unless replace is True.
        """
        if name in self and not replace:
            raise InputError(
                f"{self.kind} {name!r} is there already: choose another "
                "name, or give replace=True"
            )
        self._objects[name] = value
        return value

    def names(self) -> list[str]:
        """Lists the names."""
        self._read_plugins()
        return list(self._objects)

    def get(self, name: str):
        """Returns the object of that name.

        Raises: InputError if there is none; it names those that are there,
            and the nearest.
        """
        self._read_plugins()
        if name not in self._objects:
            raise InputError(self._unknown(name))
        value = self._objects[name]
        if isinstance(value, str):
            module, _, attribute = value.partition(":")
            value = importlib.import_module(module)
            if attribute:
                value = getattr(value, attribute)
            self._objects[name] = value
        return value

    def __getitem__(self, name):
        return self.get(name)

    def __contains__(self, name):
        self._read_plugins()
        return name in self._objects

    def __iter__(self):
        """Yields the objects."""
        return (self.get(name) for name in self.names())

    def __len__(self):
        return len(self.names())

    def items(self):
        """Yields pairs of name and object."""
        return ((name, self.get(name)) for name in self.names())

    def _read_plugins(self):
        if self._plugins_read:
            return
        self._plugins_read = True
        group = GROUP.format(self.kind.replace(" ", "_"))
        for point in importlib.metadata.entry_points(group=group):
            # The project's own objects cannot be replaced by being installed.
            self._objects.setdefault(point.name, point.value)

    def _unknown(self, name):
        near = difflib.get_close_matches(str(name), self._objects, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        known = ", ".join(self._objects)
        return f"no {self.kind} {name!r}: choose one of {known}{guess}"
