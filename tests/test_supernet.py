"""The supernet: one member is trained exactly as that network, others keep their weights, members share and do not copy."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from archdsl import space
from archdsl.analyses.sample import batches
from archdsl.base.errors import ArchdslError, RunError, StudyError
from archdsl.data import Dataset, load
from archdsl.ir import Spec
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import resolve_model
from archdsl.study import supernet as supernets
from archdsl.study.candidate import seeded
from archdsl.study.screens import SCREENS, Setting
from archdsl.study.supernet import Supernet, Turns, recalibrate, share_key, train_supernet
from archdsl.training.experiment import fit_to_data
from archdsl.training.loop import train

HEAD = "defaults(head_dim=4)\nstem patch(4, k=4)\n"
TINY = f"{HEAD}stage(4, heads=1) [{{C|M}}*2]\nstage(8, heads=2, down=conv) [{{C|M|}}]\n"
ONE = f"{HEAD}stage(4, heads=1) [C M]\nstage(8, heads=2, down=conv) [T]\n"
RECIPE = Recipe(epochs=2, batch=50, drop_path=0.1)


@pytest.fixture(scope="module")
def data(little: Path) -> Dataset:
    return load(f"npz:{little}")


def fitted(text: str, data: Dataset) -> Spec:
    return fit_to_data(parse(text), data, "space")


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_supernet_of_one_member_is_trained_as_that_network(data: Dataset, ema: float):
    spec = fitted(ONE, data)
    recipe = RECIPE.model_copy(update={"ema": ema})
    member = resolve_model(spec)
    plain = seeded(member, 7)
    train(plain, data, recipe, seed=7)
    shared, coverage = train_supernet(spec, data, recipe, seed=7)
    own = shared.member(member).state_dict()
    assert list(own) == list(plain.state_dict())
    for name, tensor in plain.state_dict().items():
        assert torch.equal(own[name], tensor), name
    assert coverage == supernets.Coverage(10, 9, 10, 10)
    assert shared.params == member.params


def test_a_step_moves_the_chosen_blocks_alone(data: Dataset):
    """One step of AdamW with weight decay, momentum from earlier steps and a clipped gradient."""
    spec = fitted(TINY, data)
    shared, _ = train_supernet(spec, data, RECIPE, seed=0)
    members = list(space.members(spec))
    chosen = members[0]
    before = {name: tensor.clone() for name, tensor in shared.state_dict().items()}
    shared.choose(chosen)
    one = Recipe(epochs=1, batch=len(data.train), weight_decay=1.0)
    train(shared, data, one, seed=1)
    keys = {share_key(block) for block in chosen.blocks()}
    moved = {
        name.split(".")[1] for name, tensor in shared.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert {key.split("-")[0] for key in keys} >= {"stem/patch", "stage1/block1", "head/linear"}
    assert moved == {key for key in keys if list(shared.blocks[key].parameters())}
    assert len(shared.blocks) > len(keys)


def test_momentum_moves_no_weights_of_blocks_that_rest(data: Dataset):
    """A block that was trained has moments in the optimiser; a later step of others must not use them."""
    spec = fitted(TINY, data)
    first, second = (
        m for m in space.members(spec) if m.layout[1:] == [["C"]] and m.layout[0] in (["C"] * 2, ["M"] * 2)
    )
    shared = Supernet(0)
    for member in (first, second):
        shared.add(member)
    shared.choose(first)
    resting: dict[str, torch.Tensor] = {}

    def turn(step: int) -> None:
        if step == 2:
            shared.choose(second)
            resting.update({n: p.detach().clone() for n, p in shared.member(first).named_parameters()})

    train(shared, data, Recipe(epochs=1, batch=50, weight_decay=1.0), before_step=turn)
    for name, parameter in shared.member(first).named_parameters():
        rests = name.startswith("stage1.block")
        assert torch.equal(parameter, resting[name]) == rests, name


def test_members_share_and_do_not_copy(data: Dataset):
    spec = fitted(TINY, data)
    members = list(space.members(spec))
    shared = Supernet(3)
    assert not shared.knows(members[0])
    for member in members:
        shared.add(member)
        assert shared.knows(member)
    one, other = shared.member(members[0]), shared.member(members[1])
    assert one.stem.patch is other.stem.patch
    assert shared.member(members[0]).stage1.block1 is one.stage1.block1
    images = torch.randn(4, *data.input)
    for member in members:
        network, plain = shared.member(member), seeded(member, 99)
        plain.load_state_dict(network.state_dict())
        assert torch.equal(network.eval()(images), plain.eval()(images))
    total = sum(p.numel() for p in shared.parameters())
    assert total == shared.params < sum(member.params for member in members)


def test_other_shapes_have_weights_of_their_own(data: Dataset):
    spec = fitted(f"{HEAD}stage({{4|8}}) [C {{C*2|}}]", data)
    members = list(space.members(spec))
    shared = Supernet(0)
    for member in members:
        shared.add(member)
        shared.member(member)(torch.zeros(2, *data.input))
    places = sorted(key.split("-")[0] for key in shared.blocks)
    assert [places.count(f"stage1/block{n}") for n in (1, 2, 3)] == [2, 2, 2]
    assert places.count("stem/patch") == 1


def test_conditional_spaces_and_repeats_can_be_trained(data: Dataset):
    text = f"{HEAD}let W = {{4|8}}\nblock g(k=3) = residual[{{conv(k=k)|norm conv(k=5)}} {{act|}}]\nstage(W)[g*{{0..2}} {{C|M(heads={{1|2}})}}]\nrequire count(M) <= 1"
    _, coverage = train_supernet(fitted(text, data), data, Recipe(epochs=2, batch=30), seed=0)
    assert coverage.steps == 18
    assert coverage.fewest >= 1


def test_turns_are_even_and_come_again(data: Dataset):
    spec = fitted(f"{HEAD}stage(4) [{{C|M}}*2]", data)
    turns, again = Turns(spec, 5), Turns(spec, 5)
    drawn = [turns.at(step).hash for step in range(800)]
    counts = sorted(drawn.count(key) for key in set(drawn))
    assert len(counts) == 4
    assert counts[0] > 200 - 4 * 13  # four standard deviations
    assert again.at(799).hash == drawn[799]


def test_too_many_blocks_are_an_error_with_a_remedy(data: Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supernets, "MOST_PARAMS", 1000)
    with pytest.raises(RunError, match="over 1,000 parameters in") as caught:
        train_supernet(fitted(f"{HEAD}stage({{4..64 step 4}}) [C]", data), data, RECIPE, seed=0)
    assert caught.value.help is not None
    with pytest.raises(ArchdslError, match="no feasible member"):
        train_supernet(fitted(f"{HEAD}stage(4) [{{C|M}}] require count(C) >= 2", data), data, RECIPE, seed=0)


def test_an_interrupted_supernet_goes_on(data: Dataset, tmp_path: Path):
    spec, recipe = fitted(TINY, data), RECIPE.model_copy(update={"epochs": 3})
    whole, _ = train_supernet(spec, data, recipe, seed=0)

    def stop(done: int, total: int) -> None:
        if done == 12:  # in the third epoch of five steps
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_supernet(spec, data, recipe, seed=0, on_step=stop, checkpoint=tmp_path / "s.safetensors")
    steps: list[int] = []
    resumed, _ = train_supernet(
        spec,
        data,
        recipe,
        seed=0,
        on_step=lambda done, total: steps.append(done),
        checkpoint=tmp_path / "s.safetensors",
    )
    assert steps == [11, 12, 13, 14, 15]
    for name, tensor in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name
    with pytest.raises(StudyError, match="belongs to another training"):
        train_supernet(spec, data, recipe, seed=1, checkpoint=tmp_path / "s.safetensors")


def test_recalibrated_statistics_are_those_of_the_images():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.5))
    images = [torch.randn(8, 1, 6, 6) for _ in range(3)]
    net[1].running_mean.fill_(99)
    recalibrate(net, images)
    maps = [net[0](batch) for batch in images]
    assert torch.allclose(net[1].running_mean, torch.stack([m.mean((0, 2, 3)) for m in maps]).mean(0), atol=1e-6)
    assert torch.allclose(net[1].running_var, torch.stack([m.var((0, 2, 3)) for m in maps]).mean(0), atol=1e-6)
    assert not any(module.training for module in net.modules())
    assert net[1].momentum == 0.1


def test_the_score_is_the_likelihood_with_inherited_weights(data: Dataset):
    spec = fitted(TINY, data)
    setting = Setting(spec, data, Recipe(epochs=1, batch=50), 0, torch.device("cpu"))
    screen = SCREENS["supernet"](setting)
    screen.prepare()
    member = next(space.members(spec))
    score = screen.score(member)
    network = screen.supernet.member(member).eval()  # recalibrated by scoring
    (batch,) = batches(data, count=1, size=len(data.validation), augment=False, split="validation")
    with torch.no_grad():
        nll = F.cross_entropy(network(batch[0]), batch[1])
    assert score == pytest.approx(-float(nll), rel=1e-5)
    others = fitted(f"{HEAD}stage(4) [C(k=5)]", data)
    assert math.isnan(screen.score(resolve_model(others)))  # its block was never trained
