"""A workspace that predicts in this process."""

from __future__ import annotations

from tests.panels.predict.stand_ins import ws as ws
