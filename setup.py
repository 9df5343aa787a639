"""The one step that pyproject.toml cannot say: compile the translations that the wheel ships."""

from __future__ import annotations

from pathlib import Path

import polib
from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithTranslations(build_py):
    """Compiles each `.po` file of the packages to the `.mo` file that Django reads."""

    def run(self) -> None:
        super().run()
        built = Path("." if self.editable_mode else self.build_lib)
        for path in built.glob("*_app/locale/*/LC_MESSAGES/*.po"):
            polib.pofile(str(path)).save_as_mofile(str(path.with_suffix(".mo")))


setup(cmdclass={"build_py": BuildWithTranslations})
