"""How well scores order positives above negatives: AUC and grouped AUC, each with its pull per row or unit."""

from dataclasses import dataclass

import numpy as np

from tasuki.offline.scored import Codes, Floats


@dataclass(frozen=True)
class Auc:
    """The area under the ROC curve, and each row's pull on it.

    `positive_pulls` and `negative_pulls` are in the order of the positive and of the negative rows; each sums to 0.
    """

    value: float
    positive_pulls: Floats
    negative_pulls: Floats


def auc(labels: Floats, scores: Floats) -> Auc:
    """The chance that a random positive scores above a random negative; ties count one half.

    Use it where the order matters and not the height of the score. Needs at least one row of each class.

    Formula: A = Σᵢ V(xᵢ)/m, V(xᵢ) = share of the n negatives below positive i (ties ½), W(yⱼ) = share of the m
        positives above negative j; pulls (V(xᵢ) − A)/m and (W(yⱼ) − A)/n.
    Source: E. DeLong, D. DeLong and D. Clarke-Pearson (1988), Comparing the areas under two or more correlated ROC
        curves, eq. 3 to 5; sorted as in X. Sun and W. Xu (2014), O(n log n).
    Checked against: counting all pairs in plain Python; `sklearn.metrics.roc_auc_score`.
    """
    order = np.argsort(scores)
    positive = labels[order] == 1
    m = int(np.count_nonzero(positive))
    n = len(labels) - m
    tie, sizes = _ties(scores[order])
    in_tie = np.bincount(tie, weights=positive)
    # Of each tie's rows: how many positives and how many negatives are below it, its own counted half.
    positives_below = np.cumsum(in_tie) - in_tie / 2
    negatives_below = np.cumsum(sizes - in_tie) - (sizes - in_tie) / 2
    share = np.empty(len(labels))
    share[order] = np.where(positive, negatives_below[tie] / n, 1.0 - positives_below[tie] / m)
    above_negatives, below_positives = share[labels == 1], share[labels != 1]
    value = float(above_negatives.mean())
    return Auc(value, (above_negatives - value) / m, (below_positives - value) / n)


def _ties(ordered: Floats) -> tuple[Codes, Codes]:
    """Of sorted values: the number of the group of equal ones each belongs to, and the sizes of the groups."""
    starts = np.ones(len(ordered), dtype=np.bool_)
    starts[1:] = ordered[1:] != ordered[:-1]
    return np.cumsum(starts) - 1, np.diff(np.append(np.flatnonzero(starts), len(ordered)))


@dataclass(frozen=True)
class Groups:
    """The rows of the units that have both classes: only they say anything about order within a unit."""

    rows: Codes
    codes: Codes
    labels: Floats
    sizes: Floats
    positives: Floats

    @property
    def count(self) -> int:
        """How many units have both classes."""
        return len(self.sizes)


def groups_with_both(labels: Floats, units: Codes) -> Groups:
    """The units that have a positive and a negative row, numbered anew from 0."""
    sizes = np.bincount(units).astype(np.float64)
    positives = np.bincount(units, weights=labels).astype(np.float64)
    both = (positives > 0) & (positives < sizes)
    rows = np.flatnonzero(both[units])
    renumbered = np.cumsum(both) - 1
    return Groups(rows, renumbered[units[rows]].astype(np.int64), labels[rows], sizes[both], positives[both])


def auc_by_group(groups: Groups, scores: Floats) -> Floats:
    """The AUC inside each unit; ties count one half.

    Formula: A_u = (R_u − m_u(m_u + 1)/2)/(m_u n_u), R_u the sum of the positives' average ranks among the unit's rows.
    Source: H. Mann and D. Whitney (1947), On a test of whether one of two random variables is stochastically larger.
    Checked against: counting all pairs in plain Python.
    """
    chosen = scores[groups.rows]
    order = np.lexsort((chosen, groups.codes))
    codes, ordered = groups.codes[order], chosen[order]
    starts_tie = np.ones(len(order), dtype=bool)
    starts_tie[1:] = (codes[1:] != codes[:-1]) | (ordered[1:] != ordered[:-1])
    tie = np.cumsum(starts_tie) - 1
    first = np.flatnonzero(starts_tie)
    length = np.diff(np.append(first, len(order)))
    offset = np.concatenate(([0], np.cumsum(groups.sizes)[:-1]))
    ranks = first[tie] + (length[tie] + 1) / 2.0 - offset[codes]
    rank_sum = np.bincount(codes, weights=ranks * groups.labels[order], minlength=groups.count)
    m = groups.positives
    result: Floats = (rank_sum - m * (m + 1) / 2.0) / (m * (groups.sizes - m))
    return result
