"""Vision with words, and for action: two streams, captions, keypoints."""

from cvcourse.models.language.twelve_in_one import TwelveInOne
from cvcourse.models.language.vilbert import Stream, ViLBERT, ViLBERTPretraining

__all__ = ["Stream", "TwelveInOne", "ViLBERT", "ViLBERTPretraining"]
