"""The report's first sentences: what they claim is what the seeds allow."""

from __future__ import annotations

from typing import Any

from report_page import changed, check, terminal

from archdsl.report.headline import headline
from archdsl.study.results import read


def finals(**tests: list[float]) -> dict[str, Any]:
    """Results whose finalists have just these test accuracies."""

    def put(document: dict[str, Any]) -> None:
        given = {name.replace("_", " "): values for name, values in tests.items()}
        document["finalists"] = [f for f in document["finalists"] if f["name"] in given]
        for finalist in document["finalists"]:
            runs = [
                {"seed": s, "validation": {"accuracy": v}, "test": {"accuracy": v}, "curve": []}
                for s, v in enumerate(given[finalist["name"]])
            ]
            finalist.update(seeds=runs, hash=finalist["name"])

    return changed(put)


def test_a_clear_lead() -> None:
    document = finals(winner=[0.90, 0.902, 0.901], all_C=[0.88, 0.881, 0.879], all_M=[0.85, 0.851, 0.849])
    said = str(headline(read(document)))
    assert all(sentence in check(document).text for sentence in said.split(". "))
    assert "scores 90.1 ± 0.1 % on the test split (90.1 ± 0.1 % on validation; mean ± sd over 3 seeds)." in said
    assert said.endswith("On test it is clearly above all C (+2.1 points) and all M (+5.1 points).")
    assert "clearly above all C" in " ".join(terminal(document).split())


def test_a_lead_within_the_spread_is_called_that() -> None:
    document = finals(winner=[0.90, 0.91, 0.89], all_C=[0.895, 0.905, 0.885], all_M=[0.80, 0.801, 0.799])
    said = str(headline(read(document)))
    assert "clearly above all M (+10.0 points), and within the seed spread of all C (+0.5 points)" in said


def test_being_worse_is_said_plainly() -> None:
    said = str(headline(read(finals(winner=[0.85, 0.851, 0.849], all_C=[0.88, 0.881, 0.879]))))
    assert "clearly below all C (−3.0 points)" in said


def test_one_seed_proves_nothing() -> None:
    said = str(headline(read(finals(winner=[0.85], all_C=[0.84]))))
    assert "85.0 % on the test split (85.0 % on validation; one seed)" in said
    assert "differs from all C (+1.0 points); one seed does not tell whether that is more than chance" in said


def test_a_winner_that_is_a_baseline() -> None:
    document = finals(winner=[0.85, 0.86], all_C=[0.85, 0.86], all_M=[0.7, 0.71])
    for finalist in document["finalists"][:2]:
        finalist["hash"] = "same"
    said = str(headline(read(document)))
    assert said.startswith("The search found nothing better than all C: ")
    assert "all C (" not in said
    check(document)


def test_a_space_without_baselines() -> None:
    document = finals(winner=[0.85, 0.86])
    assert headline(read(document)).comparison == ""
    check(document)


def test_a_winner_without_a_test_figure_falls_back_to_the_trial() -> None:
    document = changed(lambda d: [f.update(seeds=[]) for f in d["finalists"]])
    assert "nothing was measured on the test split" in str(headline(read(document)))
    check(document)


def pareto(**tests: list[float]) -> str:
    """What is said of a search for accuracy, parameters and latency with these finals."""
    document = finals(**tests)
    names = (("accuracy", "maximize"), ("params", "minimize"), ("latency_ms", "minimize"), ("log_ape", "minimize"))
    document["objectives"] = [{"name": name, "direction": direction} for name, direction in names]
    document["best"].update(hash="winner", scores={"accuracy": 1.0})
    document["pareto"] = [1, 2, 3]
    check(document)
    return headline(read(document)).result


def test_a_pareto_choice_is_told_as_one_training_and_never_against_the_table() -> None:
    said = pareto(winner=[0.5, 0.6], all_C=[0.7, 0.72], all_M=[0.4, 0.5], alternating=[0.69, 0.69])
    assert (
        "By one training each, 3 layouts are Pareto-optimal for accuracy, parameters, latency (ms) and log APE; "
        in said
    )
    assert "this one was the best of them in accuracy there, 100.0 %." in said
    assert said.endswith(
        "Trained again, all C (71.0 %) and alternating (69.0 %) had a higher mean on validation than its 55.0 %."
    )
    assert "Trained again" not in pareto(winner=[0.8, 0.8], all_C=[0.7, 0.72])
