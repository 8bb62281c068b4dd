"""External accounts, in the forms in which CAs hand them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from palpo_installer.certificates import external_account
from palpo_installer.errors import AnswersError

HMAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG4-_=="


@pytest.mark.parametrize(
    "text",
    [
        f"eab-kid = k1\neab-hmac-key = {HMAC_KEY}\n",
        f"# from the CA\nEAB_KID='k1'\nEAB_HMAC_KEY=\"{HMAC_KEY}\"",
        f"export EAB_KID=k1\nexport EAB_HMAC_KEY={HMAC_KEY}",
        f"key_id=k1\r\nhmac = {HMAC_KEY}\r\nunknown = 1\r\n",
    ],
)
def test_the_usual_forms(text: str) -> None:
    """Certbot's, acme.sh's and plain forms give the same account."""
    account = external_account.parse(text, "eab")
    assert account.as_ini() == f"eab-kid = k1\neab-hmac-key = {HMAC_KEY}\neab-hmac-alg = HS256\n"


@pytest.mark.parametrize(
    "text",
    ["", f"eab-hmac-key = {HMAC_KEY}", "eab-kid = k1", "eab-kid = k1\neab-hmac-key = hush hush", "eab-kid = a b"],
)
def test_what_is_missing_is_said_without_the_secret(text: str) -> None:
    """Half an account, or a key that is none, is refused; nothing of the file is repeated."""
    with pytest.raises(AnswersError, match=r"^/etc/eab: there is no") as refused:
        external_account.parse(text, "/etc/eab")
    assert "hush" not in str(refused.value)
    assert HMAC_KEY not in str(refused.value)


def test_the_algorithm_is_one_of_three() -> None:
    """HS512 is taken, anything else refused."""
    text = f"kid = k1\nhmac-key = {HMAC_KEY}\nhmac-alg = "
    assert external_account.parse(text + "hs512", "eab").algorithm == "HS512"
    with pytest.raises(AnswersError, match="HS256, HS384, HS512"):
        external_account.parse(text + "none", "eab")


def test_no_secret_shows_itself(tmp_path: Path) -> None:
    """A read account prints without its key, and a missing file is named."""
    path = tmp_path / "eab"
    with pytest.raises(AnswersError, match=str(path)):
        external_account.read(path)
    path.write_text(f"kid = k1\nhmac-key = {HMAC_KEY}\n")
    assert HMAC_KEY not in repr(external_account.read(path))
