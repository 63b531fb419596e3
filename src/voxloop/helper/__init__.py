"""The resident process for small answers (overlays, live training, previews) and its client. Knows no widget."""

from voxloop.helper.client import Answer as Answer
from voxloop.helper.client import AnswerPart as AnswerPart
from voxloop.helper.client import Helper as Helper
