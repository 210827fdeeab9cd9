"""The list of packages, since three folders become three packages and one of them changes its name (DESIGN 2)."""

from setuptools import find_namespace_packages, setup

JUNK = ["*__pycache__*", "wheels*"]


def packages_in(folder: str, name: str) -> list[str]:
    inside = find_namespace_packages(folder, exclude=JUNK)
    return [name, *(f"{name}.{package}" for package in inside)]


FOLDERS = {"hmdiff": "backend/hmdiff", "hmdiff_wire": "shared/hmdiff_wire", "hmdiff_blender": "blender_addon"}

setup(
    package_dir=FOLDERS,
    packages=[package for name, folder in FOLDERS.items() for package in packages_in(folder, name)],
)
