"""The paper, reproduced and tested harder: plan, runs, tables, figures.

`plans` says what is trained, `job_runner` takes one run through every stage,
`workflow` is the whole, and the rest makes the tables, figures and pages of
paper/results/ from the small files that the runs left there. Of a checkout
alone: setup.py does not install it.
"""
