#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/data/metrics.json: what scikit-learn makes of some hundred random and adversarial scores, labels and decisions.

    pip install numpy scikit-learn
    python tools/make_metrics_golden.py [--out DIR]

Numbers are written so that they read back as the same doubles; null stands for what is not defined (one class absent). Labels of -1 are not known
and are left out here before scikit-learn sees them. Where scikit-learn has no rule (thresholds), numpy applies ours to its curves.
"""

import argparse
import json
import math
import warnings
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics

DATA = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"
warnings.filterwarnings("ignore")


def plain(values):
    return [None if not math.isfinite(v) else v for v in np.asarray(values, dtype=float).tolist()]


def thresholds(scores, labels):
    false_rate, true_rate, at = metrics.roc_curve(labels, scores, drop_intermediate=False)
    false_rate, true_rate, at = false_rate[1:], true_rate[1:], at[1:]  # a threshold that some score reaches
    corner, youden = (1 - true_rate) ** 2 + false_rate**2, (1 - true_rate) + false_rate
    return at[np.argmin(corner)], at[np.argmin(youden)]


def ranking_case(scores, labels, times):
    known = labels >= 0
    s, y, w = scores[known], labels[known], times[known]
    case = {"scores": scores.tolist(), "labels": labels.tolist(), "times": times.tolist()}
    both = 0 < y.sum() < len(y)
    case["auroc"] = metrics.roc_auc_score(y, s) if both else None
    weighted = 0 < (w * y).sum() < w.sum()
    case["auroc_drawn"] = metrics.roc_auc_score(y, s, sample_weight=w) if weighted else None
    case["average_precision"] = metrics.average_precision_score(y, s) if y.any() else None
    if len(y):
        precision, recall, at = metrics.precision_recall_curve(y, s)
        case["precision"], case["recall"], case["pr_thresholds"] = plain(precision), plain(recall), plain(at)
        false_rate, true_rate, at = metrics.roc_curve(y, s, drop_intermediate=False)
        case["false_rate"], case["true_rate"], case["roc_thresholds"] = plain(false_rate), plain(true_rate), plain(at)
    if both:
        case["corner"], case["youden"] = (float(v) for v in thresholds(s, y))
    return case


def draw_scores(draws, kind, n):
    if kind == "normal":
        return np.round(draws.normal(size=n), 4)
    if kind == "ties":
        return draws.integers(0, 4, size=n) / 4
    if kind == "constant":
        return np.full(n, 0.25)
    if kind == "close":  # neighbours of one double
        return 0.1 + draws.integers(0, 3, size=n) * np.spacing(0.1)
    return np.round(10.0 ** draws.uniform(-300, 300, size=n), 0) * draws.choice([-1.0, 1.0], size=n)


def ranking_cases(draws):
    cases = []
    for kind in ["normal", "ties", "constant", "close", "wide"]:
        for number in range(50):
            n = [1, 2, 3, 5, 10, 24, 40][number % 7]
            labels = (draws.random(n) < [0.5, 0.1, 0.9, 0.0, 1.0][number % 5]).astype(int)
            if number % 3 == 0:
                labels[draws.random(n) < 0.3] = -1
            scores = draw_scores(draws, kind, n)
            if number % 4 == 0 and kind == "normal":
                scores = np.round(scores + labels, 4)
            cases.append(ranking_case(scores, labels, draws.multinomial(n, np.full(n, 1 / n))))
    order = np.arange(20) / 20
    for labels in [order > 0.5, order < 0.5, np.arange(20) % 2]:
        cases.append(ranking_case(order, np.asarray(labels, int), np.ones(20, int)))
    return cases


def decision_case(truths, predictions, classes):
    labels = list(range(classes))
    case = {"classes": classes, "truths": truths.tolist(), "predictions": predictions.tolist()}
    case["matrix"] = metrics.confusion_matrix(truths, predictions, labels=labels).flatten().tolist()
    case["accuracy"] = metrics.accuracy_score(truths, predictions)
    case["balanced_accuracy"] = metrics.balanced_accuracy_score(truths, predictions)
    each = metrics.precision_recall_fscore_support(truths, predictions, labels=labels, zero_division=0)
    case["each"] = [v.tolist() for v in each[:3]]
    for average in ["macro", "weighted"]:
        case[average] = list(metrics.precision_recall_fscore_support(truths, predictions, average=average, zero_division=0)[:3])
    return case


def decision_cases(draws):
    cases = []
    for number in range(200):
        classes, n = [2, 3, 5, 9][number % 4], [1, 4, 17, 60][number // 4 % 4]
        truths = draws.choice(classes, size=n, p=draws.dirichlet(np.full(classes, 0.7)))
        predictions = np.where(draws.random(n) < number / 200, truths, draws.integers(0, classes, size=n))
        cases.append(decision_case(truths, predictions, classes))
    for truths, predictions in [([0, 0, 0], [0, 0, 0]), ([0, 0, 0], [1, 1, 1]), ([1, 1], [0, 1]), ([0, 1], [1, 0])]:
        cases.append(decision_case(np.array(truths), np.array(predictions), 2))
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DATA)
    out = parser.parse_args().out
    draws = np.random.default_rng(5)
    golden = {"sklearn": sklearn.__version__, "rankings": ranking_cases(draws), "decisions": decision_cases(draws)}
    text = json.dumps(golden, allow_nan=False, separators=(",", ":"))
    (out / "metrics.json").write_text(text.replace('},{"scores', '},\n{"scores').replace('},{"classes', '},\n{"classes') + "\n")


if __name__ == "__main__":
    main()
