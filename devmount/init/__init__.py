"""``devmount init``: a project file for a folder, from what is in it, a template, a compose file or a dev container.

Looking and writing are ``look`` and ``write``; between them is pure: what was seen becomes a guess, the guess a text.
"""
