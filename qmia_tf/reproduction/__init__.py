"""The paper, reproduced and tested harder: plan, runs, tables, figures.

`plans` says what is trained, `running` takes one run through every stage,
`reproducing` is the whole, and the rest makes docs/reproduction.md of the
small files that the runs left in results/.
"""
