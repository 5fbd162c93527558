"""Screens: one contract over the registry, an oracle for each score, and what a search does with them."""

from __future__ import annotations

import json
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import archdsl
from archdsl import space
from archdsl.base.errors import RunError, StudyError, UnknownNameError
from archdsl.data import Dataset, load
from archdsl.ir.recipe import Recipe
from archdsl.language import parse
from archdsl.network import resolve_model
from archdsl.study import admission
from archdsl.study.admission import Admission, make_screen, threshold_of
from archdsl.study.baselines import baselines
from archdsl.study.candidate import seeded
from archdsl.study.screens import SCREENS, Setting
from archdsl.study.screens.grad_norm import grad_norm
from archdsl.study.screens.naswot import hamming_kernel
from archdsl.study.screens.snip import snip
from archdsl.study.screens.synflow import synflow
from archdsl.study.watch import Watch
from archdsl.training.experiment import fit_to_data

TINY = """
model tiny
defaults(head_dim=4)
stem patch(4, k=4)
stage(4, heads=1) [{C|M}*2]
stage(8, heads=2, down=conv) [{C|M|}]
"""
RECIPE = Recipe(epochs=1, batch=50)


@pytest.fixture(scope="module")
def data(little: Path) -> Dataset:
    return load(f"npz:{little}")


@pytest.fixture(scope="module")
def setting(data: Dataset) -> Setting:
    return Setting(fit_to_data(parse(TINY), data, "tiny"), data, RECIPE, 0, torch.device("cpu"))


# ---- the contract ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(SCREENS))
def test_every_screen_scores_every_member_and_repeats_itself(name: str, setting: Setting, tmp_path: Path):
    """A number for each member that depends on setting and member alone, and leaves the caller's random state."""
    members = list(space.members(setting.spec))
    assert len(members) == 12
    state = torch.get_rng_state()
    screen, again = SCREENS[name](replace(setting, folder=tmp_path)), SCREENS[name](setting)
    assert screen.summary
    screen.prepare()
    again.prepare()
    scores = {member.hash: screen.score(member) for member in members}
    assert not any(math.isnan(score) for score in scores.values())
    assert len(set(scores.values())) > len(members) // 2
    assert {m.hash: again.score(m) for m in reversed(members)} == scores
    assert torch.equal(torch.get_rng_state(), state)
    resumed = SCREENS[name](replace(setting, folder=tmp_path))
    resumed.prepare()
    assert resumed.score(members[3]) == scores[members[3].hash]


@pytest.mark.parametrize("name", sorted(set(SCREENS) - {"params", "macs"}))
def test_the_seed_matters(name: str, setting: Setting):
    member = next(space.members(setting.spec))
    found = []
    for seed in (0, 1):
        screen = SCREENS[name](replace(setting, seed=seed))
        screen.prepare()
        found.append(screen.score(member))
    assert found[0] != found[1]


# ---- oracles ---------------------------------------------------------------------------------------------


def test_costs_are_those_of_the_architecture(setting: Setting):
    member = next(space.members(setting.spec))
    assert SCREENS["params"](setting).score(member) == sum(p.numel() for p in seeded(member, 0).parameters())
    assert SCREENS["macs"](setting).score(member) == member.macs


def softmax_regression() -> tuple[nn.Linear, torch.Tensor, torch.Tensor, torch.Tensor]:
    """A linear classifier in float64, images, labels, and the closed form of its gradient."""
    torch.manual_seed(0)
    net, images, labels = nn.Linear(5, 3).double(), torch.randn(7, 5).double(), torch.tensor([0, 1, 2, 0, 1, 2, 2])
    with torch.no_grad():
        miss = (images @ net.weight.T + net.bias).softmax(1) - F.one_hot(labels, 3)
    return net, images, labels, miss.T @ images / 7


def test_gradient_scores_of_a_linear_classifier_in_closed_form():
    net, images, labels, gradient = softmax_regression()
    assert grad_norm(net, images, labels) == pytest.approx(float(gradient.norm()), rel=1e-12)
    assert snip(net, images, labels) == pytest.approx(float((net.weight.detach() * gradient).abs().sum()), rel=1e-12)


def test_gradient_scores_of_two_layers_by_finite_differences():
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.GELU(), nn.Flatten(), nn.Linear(8, 3)).double()
    images, labels = torch.randn(5, 1, 4, 4).double(), torch.tensor([0, 1, 2, 0, 1])
    norms, shares, step = [], [], 1e-6
    for layer in (net[0], net[4]):
        slope = torch.zeros_like(layer.weight)
        for place in range(slope.numel()):
            ends = []
            for sign in (1, -1):
                with torch.no_grad():
                    layer.weight.view(-1)[place] += sign * step
                    ends.append(F.cross_entropy(net(images), labels))  # BatchNorm in train mode
                    layer.weight.view(-1)[place] -= sign * step
            slope.view(-1)[place] = (ends[0] - ends[1]) / (2 * step)
        norms.append(float(slope.norm()))
        shares.append(float((slope * layer.weight.detach()).abs().sum()))
    assert grad_norm(net, images, labels) == pytest.approx(sum(norms), rel=1e-6)
    assert snip(net, images, labels) == pytest.approx(sum(shares), rel=1e-6)


def relu_network() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 2, bias=False), nn.Flatten(),
        nn.Linear(2, 4, bias=False),
    )  # fmt: skip


def test_synflow_is_the_flow_times_the_layers_of_a_relu_network():
    """The shares of every layer sum to R (arXiv 2006.05467, theorem 1), here worked out by absolute weights."""
    net = relu_network()
    first, second, last = (net[i].weight.detach().double().abs() for i in (0, 3, 5))
    flow = F.conv2d(F.conv2d(torch.ones(1, 1, 4, 4).double(), first), second).flatten(1) @ last.T
    assert synflow(net, torch.ones(1, 1, 4, 4).double()) == pytest.approx(3 * float(flow.sum()), rel=1e-12)


def test_synflow_is_conserved_layer_by_layer_and_grows_with_every_layer_alike():
    ones = torch.ones(1, 1, 4, 4).double()
    whole = synflow(relu_network(), ones)
    for place in (0, 3, 5):
        alone, larger = relu_network(), relu_network()
        for index in {0, 3, 5} - {place}:
            alone[index].weight.requires_grad_(False)
        parameters = [alone[place].weight]
        alone.parameters = lambda recurse=True, p=parameters: iter(p)  # the sum over one layer
        for index in {0, 3, 5} - {place}:
            alone[index].weight = nn.Parameter(alone[index].weight.double().abs(), requires_grad=False)
        alone[1].double()
        assert synflow(alone, ones) == pytest.approx(whole / 3, rel=1e-12)
        with torch.no_grad():
            larger[place].weight.mul_(-2.0)
        assert synflow(larger, ones) == pytest.approx(2 * whole, rel=1e-12)


def test_synflow_beyond_numbers_says_nothing(setting: Setting):
    class Endless(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(1e200).double())

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight * self.weight

    screen = SCREENS["synflow"](setting)
    images, labels = torch.ones(1, 1), torch.zeros(1)
    assert math.isnan(screen.measure(Endless(), images, labels))
    assert screen.measure(nn.Linear(1, 1, bias=False).requires_grad_(), 0 * images, labels) > -math.inf
    dead = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(dead.weight)
    assert screen.measure(dead, images, labels) == -math.inf


def test_the_kernel_of_naswot_by_hand():
    """Three images, four units: 1100, 1010, 1111 agree with each other in 2, 2 and 2 places."""
    net = nn.Sequential(nn.Identity(), nn.ReLU())
    images = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [1, 1, 1, 1]])
    expected = torch.tensor([[4.0, 2, 2], [2, 4, 2], [2, 2, 4]]).double()
    kernel = hamming_kernel(net, images)
    assert torch.equal(kernel, expected)
    assert float(torch.linalg.slogdet(kernel).logabsdet) == pytest.approx(math.log(32))  # 64 + 8 + 8 - 3 * 16


def test_naswot_adds_layers_and_says_nothing_without_them(setting: Setting):
    images = torch.tensor([[1.0, -1], [-1, 1]])
    one, two = nn.Sequential(nn.GELU()), nn.Sequential(nn.GELU(), nn.SiLU())
    assert torch.equal(2 * hamming_kernel(one, images), hamming_kernel(two, images))
    assert math.isnan(SCREENS["naswot"](setting).measure(nn.Linear(2, 2), images, torch.zeros(2)))
    same = torch.ones(2, 2)
    assert SCREENS["naswot"](setting).measure(one, same, torch.zeros(2)) == -math.inf


# ---- what a search does with them ------------------------------------------------------------------------


def test_the_threshold_admits_the_better_half():
    assert threshold_of([1.0, 2.0, 3.0], 0.5) == 2.0
    assert threshold_of([5.0] * 4, 0.25) == 5.0
    assert threshold_of([-math.inf, 1.0], 1.0) == -math.inf
    assert threshold_of([math.nan], 0.5) == -math.inf


def test_admission_of_the_better_half_of_the_members(setting: Setting):
    members = sorted(space.members(setting.spec), key=lambda member: member.params)
    screen = Admission("params", setting)
    screen._exempt = set()
    admitted = [member for member in members if screen.admits(member)]
    assert {m.hash for m in admitted} == {m.hash for m in members if m.params >= members[6].params}
    said = screen.reason(members[0])
    assert said == f"screen params: {members[0].params} is below {members[6].params}"


def test_baselines_and_unknown_members_are_let_through(setting: Setting):
    worst = min(space.members(setting.spec), key=lambda member: member.params)
    screen = Admission("params", setting)
    screen._exempt = {worst.hash}
    assert screen.admits(worst)
    screen._exempt = set()
    assert not screen.admits(worst)
    screen._scores[worst.hash] = math.nan
    assert screen.admits(worst)


def test_scores_are_kept_and_read_again(setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def made(seed: int = 0) -> Admission:
        return make_screen("naswot", setting.spec, setting.data, RECIPE, seed, "cpu", tmp_path)

    members = list(space.members(setting.spec))
    first = made()
    decided = [first.admits(member) for member in members]
    kept = json.loads((tmp_path / "screen.json").read_text())
    assert kept["scores"] == {member.hash: first.score(member) for member in members}
    monkeypatch.setattr(SCREENS["naswot"], "score", None)  # not to be called again
    monkeypatch.setattr(SCREENS["naswot"], "prepare", None)
    again = made()
    assert [again.admits(member) for member in members] == decided
    with pytest.raises(StudyError, match="different: seed"):
        made(seed=1)
    (tmp_path / "screen.json").write_text("{")
    with pytest.raises(StudyError, match="damaged"):
        made()


def test_of_those_that_share_a_folder_one_prepares_and_the_others_wait_for_it(
    setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    prepared = []

    def prepare(self: Any) -> None:
        prepared.append(self)
        time.sleep(0.3)

    monkeypatch.setattr(SCREENS["params"], "prepare", prepare)
    screens = [Admission("params", replace(setting, folder=tmp_path)) for _ in range(3)]  # none finds anything yet
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda screen: screen.prepare(), screens))
    assert len(prepared) == 1
    assert len({screen.threshold for screen in screens}) == 1


def test_numbers_that_json_does_not_know_come_back(setting: Setting, tmp_path: Path):
    screen = Admission("params", replace(setting, folder=tmp_path))
    screen._scores = {"a": math.nan, "b": -math.inf, "c": 1.5}
    screen._threshold = -math.inf
    screen._write()
    again = Admission("params", replace(setting, folder=tmp_path))
    assert math.isnan(again._scores.pop("a"))
    assert again._scores == {"b": -math.inf, "c": 1.5}
    assert again.threshold == -math.inf


def test_a_member_without_memory_is_unknown(setting: Setting, monkeypatch: pytest.MonkeyPatch):
    def full(self, architecture):
        raise RunError("memory ran out in a screen")

    monkeypatch.setattr(SCREENS["params"], "score", full)
    monkeypatch.setattr(admission, "SAMPLE", 2)
    assert Admission("params", setting, sample=2).admits(next(space.members(setting.spec)))


def test_a_search_trains_what_its_screen_admits_and_the_baselines(little: Path, tmp_path: Path):
    def search(screen: str | None = "snip", folder: str = "run", **more: object) -> dict:
        return archdsl.search(
            TINY, budget=12, data=f"npz:{little}", epochs=1, sampler="exhaustive", screen=screen, final_seeds=0,
            run=tmp_path / folder, device="cpu", **more,
        )  # fmt: skip

    found = search()
    kept = json.loads((tmp_path / "run/screen.json").read_text())
    spec = fit_to_data(parse(TINY), load(f"npz:{little}"), "tiny")
    exempt = {member.hash for member in baselines(spec).values()}
    better = {key for key, score in kept["scores"].items() if score >= kept["threshold"]}
    assert len(kept["scores"]) == 12
    assert len(better) == 6
    assert exempt - better  # so that letting them through is seen
    assert {trial["hash"] for trial in found["trials"]} == better | exempt
    before = (tmp_path / "run/screen.json").read_bytes()
    assert [t["hash"] for t in search()["trials"]] == [t["hash"] for t in found["trials"]]
    assert (tmp_path / "run/screen.json").read_bytes() == before
    with pytest.raises(StudyError, match=r"different: screen \(there snip, here None\)"):
        search(None)
    with pytest.raises(UnknownNameError, match="unknown screen 'snap'"):
        search("snap", folder="other")
    assert not (tmp_path / "other").exists()


def test_a_search_is_interrupted_while_its_supernet_is_trained_and_goes_on(little: Path, tmp_path: Path):
    class Impatient(Watch):
        def __init__(self) -> None:
            self.said: list[str] = []
            self.last = (0, 0)

        def say(self, text: str) -> None:
            self.said.append(text)

        def step(self, done: int, total: int) -> None:
            self.last = (done, total)
            if self.last == (11, 20) and not (tmp_path / "stopped").exists():
                (tmp_path / "stopped").touch()
                raise KeyboardInterrupt

    def search(watch: Watch) -> dict:
        return archdsl.search(
            f"{TINY}train(batch=54)", budget=4, data=f"npz:{little}", epochs=1, screen="supernet", final_seeds=0,
            run=tmp_path / "run", device="cpu", watch=watch,
        )  # fmt: skip

    watch = Impatient()
    with pytest.raises(RunError, match="stopped after 0 of 4 networks"):
        search(watch)
    assert watch.last == (11, 20)
    assert (tmp_path / "run/supernet.safetensors").exists()
    assert len(search(watch)["trials"]) == 4
    assert "screen supernet: admits 6 of the 12 members scored" in watch.said
    assert any(text.startswith("supernet: 20 steps, 12 blocks of ") for text in watch.said)


def test_an_unknown_screen_is_named(setting: Setting):
    with pytest.raises(UnknownNameError, match="unknown screen 'sinflow'") as caught:
        make_screen("sinflow", setting.spec, setting.data, RECIPE)
    assert caught.value.help == "did you mean 'synflow'?"


def test_a_model_is_a_space_of_one(data: Dataset):
    spec = fit_to_data(parse("stem patch(4, k=4) stage(4)[C]"), data, "one")
    assert make_screen("params", spec, data, RECIPE).admits(resolve_model(spec))
