"""The generated files: the definitions for kubectl, for kustomize, and for the Helm chart."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

HEADER = "# Generated from the models in hydracore_crds by `make generate`. Do not edit.\n"

DEFINITIONS = Path("crds")
"""One file a kind. kustomize's own file beside them has no suffix: ``kubectl apply -f crds/`` reads
every .yaml of the folder, and would stumble over it."""

CHART = Path("charts/hydracore/templates/crds")
"""The same as templates. Helm never upgrades what lies in a chart's ``crds`` folder, templates it
does; the policy ``keep`` is for uninstalling, which must not take every Instance with it."""

KEEP = {"helm.sh/resource-policy": "keep"}


def files(definitions: Iterable[dict[str, Any]]) -> dict[Path, str]:
    """Return every generated file.

    Args:
        definitions: The CustomResourceDefinitions.

    Returns:
        The text of each file, by its path from the root of the checkout.
    """
    found = {}
    names = []
    for definition in definitions:
        names.append(f"{definition['spec']['names']['plural']}.yaml")
        found[DEFINITIONS / names[-1]] = HEADER + _dump(definition)
        found[CHART / names[-1]] = chart_template(definition)
    found[DEFINITIONS / "Kustomization"] = HEADER + _dump(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": sorted(names),
        }
    )
    return found


def chart_template(definition: dict[str, Any]) -> str:
    """Return the chart's template of a definition, which ``crds.install`` switches off."""
    metadata = {**definition["metadata"], "annotations": KEEP}
    # What Helm would read as an action is to come out as it is.
    text = _dump({**definition, "metadata": metadata}).replace("{{", '{{ "{{" }}')
    return f"{HEADER}{{{{- if .Values.crds.install }}}}\n{text}{{{{- end }}}}\n"


def _dump(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=100)
