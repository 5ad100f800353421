"""What the words of the page mean: a list, and a hover over each word."""

import html
import re
import tomllib
from collections.abc import Iterable

from markupsafe import Markup

from qmia_tf.attacks import ATTACKS
from qmia_tf.attacks.attack import NEEDS
from qmia_tf.report import words
from qmia_tf.report.run_list import Run

FLAG = re.compile(r"(?<!\w)--\w+(=[\w.,]*\w)?(?![^<>]*>)")


class Terms:
    """The words of a report, and which of them its page has used."""

    def __init__(self, runs: Iterable[Run]):
        text = (words.FOLDER / "terms.toml").read_text(encoding="utf-8")
        entries = tomllib.loads(text)["term"]
        attacks = {
            attack.name: attack
            for run in runs
            for target in run.audit.targets
            for attack in target.attacks
        }
        entries += map(_of_attack, attacks.values())
        self._entries, self._meanings = {}, {}
        self._used, self._linked = set(), set()
        for entry in entries:
            key = "term-" + re.sub(r"\W+", "-", entry["word"]).strip("-")
            self._entries[key] = entry["word"], entry["text"]
            for form in (entry["word"], *entry.get("also", ())):
                self._meanings[_form(form)] = key, entry["text"]
        forms = sorted(self._meanings, key=len, reverse=True)
        self._pattern = re.compile(
            rf"(?<![\w(./=-])({'|'.join(map(re.escape, forms))})(?![\w)(./=-])",
            re.IGNORECASE,
        )

    def listed(self) -> list[tuple[str, str, str]]:
        """(id, word, meaning) of those that were used so far."""
        return [(k, *x) for k, x in self._entries.items() if k in self._used]

    def hover(self, text: str) -> Markup:
        """The text; the first of each word shows what it means."""
        form = '<abbr title="{text}">{word}</abbr>'
        return self._marked(text, form, set())

    def link(self, text: str) -> Markup:
        """The same, once a page; the word leads to the list, a flag is code."""
        form = '<a class="term" href="#{key}" title="{text}">{word}</a>'
        marked = self._marked(text, form, self._linked)
        return Markup(FLAG.sub(r"<code>\g<0></code>", str(marked)))

    def _marked(self, text, form, seen):
        parts, end = [], 0
        for match in self._pattern.finditer(text):
            key, meaning = self._meanings[_form(match[0])]
            if key in seen or (len(match[0]) == 1 and text != match[0]):
                continue
            seen.add(key)
            self._used.add(key)
            marked = form.format(
                key=key, text=html.escape(meaning), word=html.escape(match[0])
            )
            parts += [html.escape(text[end : match.start()]), marked]
            end = match.end()
        return Markup("".join([*parts, html.escape(text[end:])]))


def _form(word):
    """P and p are two words."""
    return word.lower() if len(word) > 1 else word


def _of_attack(attack):
    needs = ", ".join(NEEDS.get(need, need) for need in attack.needs)
    known = ATTACKS.get(attack.name) if attack.name in ATTACKS else None
    source = f" Source: {known.source}." if known else ""
    if attack.name == "gap":
        source = (
            " It calls a record a member if it is classified right: 1/2 + "
            "(member accuracy - nonmember accuracy)/2."
        )
    return {
        "word": attack.title,
        "text": f"An attack. The attacker needs {needs}.{source}",
    }
