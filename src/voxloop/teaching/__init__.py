"""Lessons: exercises that check themselves, and who of a room is where. Reads what workspaces keep; draws nothing.

Examples
--------
>>> roster = vl.teaching.Roster(ws.path.parent)
>>> [seat.name for seat in roster.read()]
['cells']
"""

from voxloop.teaching.exercise import Exercise, Reply
from voxloop.teaching.roster import Roster
from voxloop.teaching.seat import Seat
from voxloop.teaching.workshop import Workshop

__all__ = ["Exercise", "Reply", "Roster", "Seat", "Workshop"]
