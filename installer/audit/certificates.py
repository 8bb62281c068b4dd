"""What is wrong with a certificate that a proxy shows, whatever the proxy. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from palpo_installer.audit.finding import Trap
from palpo_installer.audit.leaves import Leaf
from palpo_installer.audit.traps import NOT_COVERED, ODD_KEY, OUTDATED, UNCHAINED, UNUSABLE


def faults(names: Iterable[str], path: str, leaf: Leaf, now: datetime) -> Iterator[tuple[Trap, str, str]]:
    """Yield what is wrong with a certificate that is shown for names: trap, sentence, cure."""
    found = leaf.certificate
    if found is None:
        yield UNUSABLE, f"{path}: {leaf.problem}", "Name a certificate that is there."
        return
    if not found.not_before <= now <= found.not_after:
        valid = f"{path} is valid from {found.not_before:%Y-%m-%d} to {found.not_after:%Y-%m-%d}"
        yield OUTDATED, valid, "Renew it."
    if found.matches_key is False:
        yield ODD_KEY, f"the key {found.key} is not that of {path}", "Name the key that was made with it."
    if leaf.length == 1 and (leaf.intermediate or leaf.fuller):
        yield UNCHAINED, f"{path} holds the certificate without its chain", f"Name {whole(path)}, with the chain."
    exact = [name for name in names if "." in name.strip(".") and not name.startswith(("~", "*", "."))]
    missing = [name for name in exact if not found.covers(name) and not name.endswith(".*")]
    if missing:
        yield NOT_COVERED, f"{path} is not for {', '.join(missing)}", "Order a certificate for it."


def whole(path: str) -> Path:
    """Return where certbot puts a certificate with its chain, beside the one without."""
    return Path(path).with_name("fullchain.pem")
