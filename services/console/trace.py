"""What is noted of signing in and out: one place, so that it can go to the trail of operational acts.

No names: a log must not tell who works when. The trail, which officers sign, may.
"""

from typing import Literal

import structlog

Sign = Literal["signed_in", "sign_in_refused", "sign_in_limited", "signed_out", "form_refused"]


def note(what: Sign) -> None:
    """Note an act of access."""
    structlog.get_logger().info("access", state=what)
