"""User models as foreign projects have them; AUTH_USER_MODEL of a test's settings chooses one."""
