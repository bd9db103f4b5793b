"""Tables of models two by two, as HTML sections; empty where there is nothing."""

from __future__ import annotations

from html import escape

from platonic_ase.compare.comparison import Comparison
from platonic_ase.compare.report_section import interval, section
from platonic_ase.compare.retrieval import pooled
from platonic_ase.compare.spaces import SPACES
from platonic_ase.compare.transport import PLANS
from platonic_ase.report.html import number, plural


def failures(comparison: Comparison) -> str:
    """Structures that a model could not evaluate."""
    rows = [
        (escape(name), str(index), escape(why))
        for name, failures in comparison.failures.items()
        for index, why in sorted(failures.items())
    ]
    if not rows:
        return ""
    columns = (("model", "k"), ("structure", "n"), ("why", ""))
    return section(
        f"{plural(len(rows), 'failure')}",
        "These structures are left out for all models, so that all see the same atoms.",
        columns,
        rows,
    )


def similarity(comparison: Comparison) -> str:
    """Measures between models."""
    columns = (
        ("models", ""), ("space", "k"), ("measure", "k"), ("value", "n"),
        ("95 % interval", "n"), ("baseline", "n"), ("p", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(f"{e.a} – {e.b}"),
            e.space,
            e.measure,
            f"{e.estimate.value:.3f}",
            interval(e.estimate.low, e.estimate.high),
            number(e.estimate.baseline_mean, 3),
            number(e.estimate.p_value, 2),
        )
        for e in comparison.similarity
    ]
    note = (
        "Mutual k nearest neighbours; CKA with linear and RBF kernels and the biased and the "
        "unbiased estimator of HSIC; Procrustes angle (radians), 2-Wasserstein and "
        "Gromov–Wasserstein distance, of which small is similar. Intervals are from halves of the "
        "structures. The baseline has atoms permuted within elements: what models that know the "
        "element alone share. That of the Wasserstein distance exchanges atoms between the models "
        "at random (small p: they differ more), that of Gromov–Wasserstein permutes the distances "
        "of one among all pairs of atoms (small p: they differ less). RBF kernels of "
        f"{comparison.data['kernel_atoms']:,} atoms."
    )
    return section("Similarity", note, columns, rows)


def transport(comparison: Comparison) -> str:
    """Where the mass of transport plans lands."""
    columns = (
        ("models", ""), ("space", "k"), ("same", "k"), ("share", "n"), ("95 % interval", "n"),
        ("baseline", "n"), ("p", "n"), ("chance", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(f"{e.a} → {e.b}"),
            e.space,
            e.label,
            f"{e.estimate.value:.3f}",
            interval(max(e.estimate.low, 0.0), min(e.estimate.high, 1.0)),
            number(e.estimate.baseline_mean, 3),
            number(e.estimate.p_value, 2),
            f"{e.chance:.4f}",
        )
        for e in comparison.transport
    ]
    spaces = "; ".join(f"{key}: {name}" for key, name in PLANS.items())
    data = comparison.data
    note = (
        f"Share of the mass of an optimal plan of {data['transport_atoms']:,} distinct atoms "
        f"({data['gromov_atoms']:,} for Gromov–Wasserstein) that lands on the same atom, on an "
        "atom equivalent by symmetry, on the same element. Baseline of atoms and orbits: a plan "
        "with the same elements but random atoms of them; of elements: atoms permuted freely. "
        f"Spaces: {spaces}."
    )
    return section("Transport", note, columns, rows)


def stitching(comparison: Comparison) -> str:
    """Heads of one model on another."""
    if not comparison.stitching:
        return ""
    columns = (
        ("head of → used on", ""), ("space", ""), ("label", "k"), ("own", "n"),
        ("stitched", "n"), ("range of splits", "n"), ("constant", "n"),
    )  # fmt: skip
    rows = [
        (
            escape(f"{e.source} → {e.target}"),
            escape(SPACES[e.space]),
            e.label,
            f"{e.own:.2f}",
            f"{e.stitched:.2f}",
            f"{e.low:.2f} to {e.high:.2f}",
            f"{e.chance:.2f}",
        )
        for e in comparison.stitching
    ]
    note = "Share of right elements, R² else; five random splits of the structures."
    return section("Stitching", note, columns, rows)


def analogies(comparison: Comparison) -> str:
    """Embedding arithmetic, within and across models."""
    if not comparison.analogies:
        return ""
    scores = (
        ("hits at 1", "n"), ("hits at 5", "n"), ("mean reciprocal rank", "n"), ("chance", "n"),
    )  # fmt: skip
    columns = (("model", ""), ("space", "k"), ("family", ""), ("analogies", "n"), *scores)
    within = [
        (
            escape(e.model),
            e.space,
            escape(e.family),
            str(e.n_analogies),
            f"{e.hits_at_1:.2f}",
            f"{e.hits_at_5:.2f}",
            f"{e.mean_reciprocal_rank:.2f}",
            f"{e.chance_mean_reciprocal_rank:.2f}",
        )
        for e in comparison.analogies
        if e.model == e.target
    ]
    across = [
        (
            escape(model if model == target else f"{model} → {target}"),
            space,
            f"{of['hits_at_1']:.2f}",
            f"{of['hits_at_5']:.2f}",
            f"{of['mean_reciprocal_rank']:.2f}",
            f"{of['chance_mean_reciprocal_rank']:.2f}",
        )
        for (model, target, space), of in pooled(comparison.analogies).items()
    ]
    notes = (
        "Polymorphs compete with the answer. Composition alone finds the compound and ties "
        "between its polymorphs; it is perfect where a family has one prototype.",
        "The analogy is formed in the first model, and its answer looked for among the vectors of "
        "the second; all families together, each analogy counted once.",
    )
    return section("Embedding arithmetic", notes[0], columns, within) + section(
        "Embedding arithmetic across models",
        notes[1],
        (("models", ""), ("space", "k"), *scores),
        across,
    )
