"""Model content: a digest of what a model file holds, by which two files hold the same model.

A skops file is a zip of a JSON tree and arrays. The tree names objects by where they lay in the
memory of the process that wrote it, and so do the names of the arrays: two files of one model
differ. Here an object is named by its place in the tree, and an array by its own digest.
"""

import hashlib
import io
import json
import zipfile
from typing import Any

_TREE = "schema.json"


def content_sha256(data: bytes) -> str:
    """Return the SHA-256 of a skops file's content, the same whoever wrote it and when.

    Nothing in it is loaded.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    tree = _named(json.loads(files.pop(_TREE)), files, {})
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def _named(node: Any, files: dict[str, bytes], places: dict[int, int]) -> Any:
    if isinstance(node, list):
        return [_named(one, files, places) for one in node]
    if not isinstance(node, dict):
        return node
    named: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            named[key] = places.setdefault(value, len(places))
        elif key == "file" and value in files:
            named[key] = hashlib.sha256(files[value]).hexdigest()
        else:
            named[key] = _named(value, files, places)
    return named
