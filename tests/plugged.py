"""Plugins that tests make up."""

from __future__ import annotations

from benchspec import Dataset


def dataset(name, **attributes):
    return type("Rows", (Dataset,), {"name": name, "__doc__": "Rows.", **attributes})
