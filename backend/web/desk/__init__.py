"""The organiser's desk at /desk: plain forms, as the shop's pages. Each page is a neighbour; `guard` opens them."""

from typing import Any

from apiflask import APIBlueprint
from flask import g

from backend.desk.roles import may
from backend.web.desk import (
    account,
    box_office,
    codes,
    disputes,
    events,
    helping,
    money,
    numbers,
    orders,
    people,
    postponing,
    sign_in,
    waiting_list,
)
from backend.web.desk.guard import guard
from backend.web.desk.words import ACTION_WORDS, REASON_WORDS, ROLE_WORDS, WAY_WORDS

bp = APIBlueprint("desk", __name__, url_prefix="/desk", template_folder="../templates", enable_openapi=False)
for views in (
    sign_in,
    events,
    codes,
    postponing,
    numbers,
    waiting_list,
    orders,
    money,
    disputes,
    box_office,
    helping,
    account,
    people,
):
    views.register(bp)

bp.before_request(guard)


@bp.context_processor
def _for_templates() -> dict[str, Any]:
    who = g.get("desk")
    return {
        "who": who,
        "may": lambda permission: who is not None and may(who.role, permission),
        "role_words": lambda role: ROLE_WORDS[role]() if role in ROLE_WORDS else role,
        "reason_words": lambda reason: REASON_WORDS[reason]() if reason in REASON_WORDS else reason,
        "way_words": lambda way: WAY_WORDS[way]() if way in WAY_WORDS else way,
        "ways": list(WAY_WORDS),
        "action_words": lambda action: ACTION_WORDS[action]() if action in ACTION_WORDS else action,
    }
