"""Single digits read by five algorithms, as ten classes and as a number."""

import warnings

from cvcourse.data import digits

ALGORITHMS = ("linear", "1 neighbour", "5 neighbours", "forest", "network")
FORMS = ("class", "number")


def names_and_numbers(seed: int) -> dict[str, float]:
    """The share of digits read rightly, by "ALGORITHM, FORM, PART"; a number is rounded first.

    ALGORITHM: of `ALGORITHMS`, scikit-learn's, the same for both forms but for vote or mean,
    logistic regression or least squares, cross-entropy or squared error. FORM: of `FORMS`. PART:
    "train" (1,157 digits) or "test" (382 others). seed: of forest and network.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    forest = {"random_state": seed}
    network = {"hidden_layer_sizes": 128, "learning_rate_init": 3e-3, "random_state": seed}
    network |= {"max_iter": 600, "n_iter_no_change": 600, "tol": 0}  # until it fits
    pairs = (
        (LogisticRegression(C=10, max_iter=1000), LinearRegression()),
        (KNeighborsClassifier(1), KNeighborsRegressor(1)),
        (KNeighborsClassifier(5), KNeighborsRegressor(5)),
        (RandomForestClassifier(**forest), RandomForestRegressor(**forest)),
        (MLPClassifier(**network), MLPRegressor(**network)),
    )
    parts = {}
    for part in ("train", "test"):
        images, classes = digits.load(part)
        parts[part] = images.flatten(1).numpy(), classes.numpy()
    right = {}
    for name, pair in zip(ALGORITHMS, pairs, strict=True):
        for form, model in zip(FORMS, pair, strict=True):
            with warnings.catch_warnings():  # the network's, that it has used all its steps
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(*parts["train"])
            for part, (x, y) in parts.items():
                right[f"{name}, {form}, {part}"] = float((model.predict(x).round() == y).mean())
    return right
