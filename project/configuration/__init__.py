"""The environment variables of the site: one declared table, and all that is derived from it.

To add a variable, add one line to `variables.SECTIONS` (and run `scripts/make_configuration_page.py`). Then:

- a variable of a channel (`EMAIL_...`, `WECHAT_...`) is in the channel's options at once, without its prefix;
- any other is read in project/settings.py as `env["NAME"]`, with the type of its kind.

Its value is judged at every start, `manage.py check` and `verify_jobs` report a wrong one, tests see its default, and
docs/reference/configuration.md lists it.
"""
