"""Parcels on disk: in order, bounded, whole or set aside."""

import pytest

from leeway.client.spool import Parcel, Spool
from monitor.errors import StorageError

MANY_BYTES = 1 << 20


def parcel(number):
    return Parcel("/v1/models/m/predictions", f"key-{number}", number, b"rows\n" * number)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


def filled(folder, *numbers: int):
    spool = Spool(folder, MANY_BYTES)
    for number in numbers:
        assert spool.append(parcel(number))
    return spool


def drained(spool):
    found = []
    while (one := spool.first()) is not None:
        found.append(one)
        spool.remove_first()
    return found


def test_parcels_come_out_as_they_went_in_oldest_first(folder):
    assert drained(filled(folder, 3, 1, 2)) == [parcel(3), parcel(1), parcel(2)]
    assert list(folder.glob("*.parcel")) == []


def test_the_next_process_finds_what_the_last_one_left(folder):
    filled(folder, 1, 2).close()
    assert drained(Spool(folder, MANY_BYTES)) == [parcel(1), parcel(2)]


def test_a_full_spool_says_no_and_takes_parcels_again_when_there_is_room(folder):
    spool = Spool(folder, 400)
    numbers = iter(range(1, 100))
    while spool.append(parcel(next(numbers))):
        pass
    spool.remove_first()
    assert spool.append(parcel(1))


def test_a_parcel_that_was_being_written_is_set_aside_and_counted(folder, caplog):
    filled(folder, 1).close()
    (folder / "00000000000000000009.parcel.unfinished").write_bytes(b"half a par")
    spool = Spool(folder, MANY_BYTES)
    assert spool.n_damaged == 1
    assert "was being written when the process ended" in caplog.text
    assert drained(spool) == [parcel(1)]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda _: b"", lambda b: b[5:], lambda b: b"\xff" + b]
)
def test_a_damaged_parcel_is_skipped_kept_and_reported(folder, caplog, damage):
    filled(folder, 1, 2).close()
    first, _ = sorted(folder.glob("*.parcel"))
    first.write_bytes(damage(first.read_bytes()))
    spool = Spool(folder, MANY_BYTES)
    assert drained(spool) == [parcel(2)]
    assert [path.suffix for path in folder.iterdir() if path.stem == first.stem] == [".damaged"]
    assert "is skipped" in caplog.text


def test_a_parcel_that_the_server_refused_is_kept_beside_the_others(folder):
    spool = filled(folder, 1, 2)
    spool.refuse_first()
    assert drained(spool) == [parcel(2)]
    assert len(list(folder.glob("*.refused"))) == 1


def test_two_processes_do_not_share_a_spool(folder):
    first = Spool(folder, MANY_BYTES)
    with pytest.raises(StorageError, match="give each process a spool of its own"):
        Spool(folder, MANY_BYTES)
    first.close()
    Spool(folder, MANY_BYTES).close()
