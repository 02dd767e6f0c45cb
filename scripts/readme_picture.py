"""Draw docs/answers.png, the picture of the README: one scene and everything known about it."""

from pathlib import Path

from cvcourse.classroom.figures import style
from cvcourse.classroom.subjects.answers import show_answers
from cvcourse.data.scenes import Clips

OUTPUT = Path(__file__).parents[1] / "docs" / "answers.png"


def main():
    style.use()
    clips = Clips(40, frames=2, size=256, seed=3, objects=6, scale=(0.25, 0.5), noise=0.5)
    figure = show_answers(*clips[7])
    OUTPUT.parent.mkdir(exist_ok=True)
    figure.savefig(OUTPUT, dpi=90)


if __name__ == "__main__":
    main()
