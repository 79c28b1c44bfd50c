"""Encoding: a compressed body made plain, never larger than is allowed."""

import pyarrow as pa

from monitor.errors import BatchRefusedError, BodyTooLargeError

ENCODINGS = ("gzip", "zstd")

_PIECE_BYTES = 1 << 20


def decoded(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Decompress a body.

    Parameters
    ----------
    body : bytes
        The body as it came.
    encoding : str
        Its Content-Encoding: ``gzip``, ``zstd``, or empty or ``identity`` for none.
    max_bytes : int
        How large it may become.

    Raises
    ------
    BodyTooLargeError
        If it is larger; no more than the limit has been decompressed.
    BatchRefusedError
        If the encoding is another, or the body is not what it says.

    Examples
    --------
    >>> import gzip
    >>> decoded(gzip.compress(b"[]"), "gzip", 100)
    b'[]'
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ENCODINGS:
        raise BatchRefusedError(f"content encoding {name!r} is not one of {', '.join(ENCODINGS)}")
    pieces, n_bytes = [], 0
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), name) as stream:
            while piece := stream.read(_PIECE_BYTES):
                n_bytes += len(piece)
                if n_bytes > max_bytes:
                    raise BodyTooLargeError(max_bytes)
                pieces.append(piece)
    except (pa.ArrowException, OSError) as error:
        raise BatchRefusedError(f"the body is not valid {name}: {error}") from error
    return b"".join(pieces)
