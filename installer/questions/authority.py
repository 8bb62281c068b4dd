"""The questions about the authority that certificates are ordered from: where it is, and how it knows us."""

from __future__ import annotations

from collections.abc import Callable

from palpo_installer import validation
from palpo_installer.answers import Method
from palpo_installer.errors import AnswersError
from palpo_installer.questions import readers
from palpo_installer.questions.question import Choice, Kind, Question, Situation

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"

ACME = (Method.HTTP_01, Method.DNS_01, Method.PROXY)


def _orders_here(situation: Situation) -> bool:
    """Return whether palpo-installer orders, so that it can show an account and go through an HTTP proxy."""
    return situation.get("certificates.method", Method) in {Method.HTTP_01, Method.DNS_01}


def _not_by_proxy(key: str) -> Callable[[object, Situation], object]:
    """Return what refuses an answer of which a proxy that orders itself would not be told."""

    def moot(value: object, situation: Situation) -> object:
        if value is not None and has_method(Method.PROXY, situation):
            raise AnswersError(
                "a proxy that orders certificates itself is not told of this",
                where=key,
                next="Leave it out, or choose certificates.method = http-01",
            )
        return value

    return moot


def _asks_authority(situation: Situation) -> bool:
    return situation.get("certificates.method", Method) in ACME


def has_method(method: Method, situation: Situation) -> bool:
    """Return whether certificates come from there."""
    return situation.get("certificates.method", Method) is method


def _terms_settled(value: object, situation: Situation) -> object:
    if value is not True:
        directory = situation.answer("certificates.directory", str)
        raise AnswersError(
            f"{directory} gives certificates only to those who agree to its terms of service",
            next="Read them and answer true, or choose files or self-signed as method",
        )
    return value


AUTHORITY = (
    Question(
        key="certificates.directory",
        text="ACME directory of the authority",
        help="Its staging directory gives certificates for trying out, which nobody trusts.",
        kind=Kind.URL,
        read=readers.text(validation.https_url),
        default=lambda _: LETS_ENCRYPT,
        applies=_asks_authority,
        choices=(
            Choice(LETS_ENCRYPT, "Let's Encrypt"),
            Choice(LETS_ENCRYPT_STAGING, "Let's Encrypt, for trying out"),
        ),
        example=LETS_ENCRYPT,
    ),
    Question(
        key="certificates.email",
        text="E-mail address for the account at the authority",
        help="Some authorities warn there before a certificate ends. Empty: an account without one.",
        kind=Kind.EMAIL,
        read=readers.text(validation.email),
        applies=_asks_authority,
        required=False,
        example="admin@example.com",
    ),
    Question(
        key="certificates.agree_terms",
        text="Whether you agree to the authority's terms of service",
        help="The terms are linked from the authority's directory.",
        kind=Kind.FLAG,
        read=readers.flag,
        settle=_terms_settled,
        applies=_asks_authority,
        example="true",
    ),
    Question(
        key="certificates.ca_file",
        text="PEM file of an authority to trust when talking to the directory",
        help="For an authority of your own. Empty: those that this system trusts.",
        kind=Kind.PATH,
        read=readers.path,
        applies=_asks_authority,
        required=False,
        example="/etc/ssl/company-ca.pem",
    ),
    Question(
        key="certificates.eab_file",
        text="File with the key id and HMAC key of an external account",
        help="Only for authorities that ask for one. Empty: none.",
        kind=Kind.SECRET_FILE,
        read=readers.path,
        applies=_orders_here,
        moot=_not_by_proxy("certificates.eab_file"),
        required=False,
        example="/root/external-account",
    ),
    Question(
        key="certificates.proxy",
        text="HTTP proxy for talking to the authority",
        help="Empty: the directory is reached without one.",
        kind=Kind.URL,
        read=readers.text(validation.http_url),
        applies=_orders_here,
        moot=_not_by_proxy("certificates.proxy"),
        required=False,
        example="http://proxy.example.com:3128",
    ),
    Question(
        key="certificates.dns",
        text="DNS service that the challenge is written to",
        help="The name of its certbot plugin.",
        kind=Kind.WORD,
        read=readers.text(validation.word),
        applies=lambda situation: has_method(Method.DNS_01, situation),
        example="rfc2136",
    ),
    Question(
        key="certificates.dns_credentials",
        text="File with the credentials for the DNS service",
        help="In the form that its certbot plugin reads.",
        kind=Kind.SECRET_FILE,
        read=readers.path,
        applies=lambda situation: has_method(Method.DNS_01, situation),
        example="/root/dns-credentials.ini",
    ),
)
