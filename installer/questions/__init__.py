"""Every question once: key, wording, help, choices, default from the facts, validation, when it applies.

The wizard, the plain prompts and the files of answers all use this list.
"""

from __future__ import annotations

from palpo_installer.questions.question import Choice, Kind, Question, Situation
from palpo_installer.questions.resolution import (
    QUESTIONS,
    SECRET_KEYS,
    Asked,
    Resolved,
    question_for,
    resolve,
)
from palpo_installer.questions.support import SUPPORTED, is_supported

__all__ = [
    "QUESTIONS",
    "SECRET_KEYS",
    "SUPPORTED",
    "Asked",
    "Choice",
    "Kind",
    "Question",
    "Resolved",
    "Situation",
    "is_supported",
    "question_for",
    "resolve",
]
