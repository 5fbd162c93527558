"""Checkpoints: what goes in comes out, and no failure while writing costs the file that was there."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from archdsl.base import checkpoint
from archdsl.base.errors import RunError, StudyError

resource = pytest.importorskip("resource", reason="file size limits exist on POSIX systems alone")

TENSORS = {
    "model.weight": torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last),
    "model.count": torch.tensor(7),
    "half": torch.randn(5).bfloat16(),
    "empty": torch.zeros(0, 3),
}


def test_round_trip(tmp_path):
    path = tmp_path / "new folder" / "net.safetensors"
    checkpoint.save(path, TENSORS, {"spec": "stage[C M]", "seed": "1"})
    tensors, metadata = checkpoint.load(path)
    assert metadata == {"spec": "stage[C M]", "seed": "1"}
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in tensors.items():
        assert tensor.dtype == TENSORS[name].dtype
        assert torch.equal(tensor, TENSORS[name])
    assert [p.name for p in path.parent.iterdir()] == ["net.safetensors"]


def test_tensors_that_share_memory(tmp_path):
    shared = torch.randn(3)
    checkpoint.save(tmp_path / "a", {"one": shared, "two": shared, "three": shared[1:]}, {})
    assert torch.equal(checkpoint.load(tmp_path / "a")[0]["three"], shared[1:])


def test_full_disk_keeps_the_previous_file(tmp_path):
    path = tmp_path / "net.safetensors"
    checkpoint.save(path, TENSORS, {"version": "old"})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))  # a write past this fails as it does on a full disk
    try:
        with pytest.raises(RunError, match="could not be written"):
            checkpoint.save(path, {"large": torch.zeros(100_000)}, {"version": "new"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoint.load(path)[1] == {"version": "old"}
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def test_many_that_write_one_path_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "net.safetensors"

    def write(number):
        for _ in range(10):
            checkpoint.save(path, {"model.a": torch.full((50_000,), float(number))}, {"number": str(number)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    tensors, metadata = checkpoint.load(path)
    assert torch.equal(tensors["model.a"], torch.full((50_000,), float(metadata["number"])))
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def test_what_killed_writers_left_is_removed_but_not_what_others_are_writing(tmp_path):
    path = tmp_path / "net[1].safetensors"
    old, new, foreign = (tmp_path / f"{name}.tmp" for name in (f"{path.name}.a", f"{path.name}.b", "other.a"))
    for file in (old, new, foreign):
        file.write_bytes(b"half")
    for file in (old, foreign):
        os.utime(file, (file.stat().st_mtime - 2 * checkpoint.ABANDONED,) * 2)
    checkpoint.save(path, TENSORS, {})
    assert set(tmp_path.iterdir()) == {path, new, foreign}


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may write everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(stat.S_IREAD | stat.S_IEXEC)
    with pytest.raises(RunError, match="could not be written"):
        checkpoint.save(tmp_path / "a", TENSORS, {})
    tmp_path.chmod(stat.S_IRWXU)


def test_a_folder_in_the_way(tmp_path):
    (tmp_path / "net" / "x").mkdir(parents=True)
    with pytest.raises(RunError, match="could not be written"):
        checkpoint.save(tmp_path / "net", TENSORS, {})


@pytest.mark.parametrize("content", [b"", b"junk" * 100, "half", b"\xff" * 8 + b"x" * 100])
def test_broken_files(tmp_path, content):
    path = tmp_path / "net.safetensors"
    checkpoint.save(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:-20] if content == "half" else content)
    with pytest.raises(StudyError, match="truncated or corrupt") as caught:
        checkpoint.load(path)
    assert caught.value.help
    first = checkpoint.set_aside(path)
    path.write_bytes(b"again")
    assert {first.name, checkpoint.set_aside(path).name} == {"net.safetensors.corrupt", "net.safetensors.corrupt2"}


def test_absent_and_foreign_files(tmp_path):
    with pytest.raises(StudyError, match="there is no checkpoint"):
        checkpoint.load(tmp_path / "none")
    checkpoint.save(tmp_path / "other", {"weight": torch.zeros(1)}, {})
    with pytest.raises(StudyError, match="no training checkpoint"):
        checkpoint.load_weights(tmp_path / "other")


def test_weights_are_those_that_are_evaluated(tmp_path):
    checkpoint.save(tmp_path / "a", {"model.w": torch.zeros(2), "optimizer.step.w": torch.ones(())}, {})
    assert checkpoint.load_weights(tmp_path / "a")[0].keys() == {"w"}
    checkpoint.save(tmp_path / "a", {"model.w": torch.zeros(2), "ema.w": torch.ones(2)}, {})
    assert checkpoint.load_weights(tmp_path / "a")[0]["w"].tolist() == [1, 1]
