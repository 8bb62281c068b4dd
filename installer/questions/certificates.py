"""The questions about certificates."""

from __future__ import annotations

from datetime import UTC, datetime

from palpo_installer import naming
from palpo_installer.answers import BaseCertificate, BaseDomain, CertificateFiles, Method
from palpo_installer.certificates.site import of_site
from palpo_installer.errors import AnswersError
from palpo_installer.facts.certificates import Certificate
from palpo_installer.proxies.standing import TITLES, holder
from palpo_installer.questions import readers
from palpo_installer.questions.authority import ACME, AUTHORITY, has_method
from palpo_installer.questions.federation import has_own_port
from palpo_installer.questions.names import has_existing_site, serves_base
from palpo_installer.questions.question import Choice, Kind, Question, Situation


def certificate_names(situation: Situation) -> tuple[str, ...]:
    """Return the names that need a certificate each: those that this host will answer for with TLS."""
    ours = serves_base(situation) or situation.get("names.base_domain", BaseDomain) is BaseDomain.OURS
    borrowed = situation.get("certificates.base_domain", BaseCertificate) is BaseCertificate.SITE
    base = [situation.base] if ours or (has_own_port(situation) and not borrowed) else []
    return tuple(dict.fromkeys([situation.answer("names.client_host", str), *base]))


def brought_names(situation: Situation) -> tuple[str, ...]:
    """Return the names whose certificate the person brings: all, or those that a proxy itself cannot order for."""
    names = certificate_names(situation)
    if situation.get("certificates.method", Method) is not Method.PROXY:
        return names
    ours = situation.get("names.base_domain", BaseDomain) in {None, BaseDomain.OURS}
    return () if ours else tuple(name for name in names if name != situation.get("names.client_host", str))


def _of_site(situation: Situation) -> tuple[Certificate | None, str]:
    """Return the certificate of the site that the base domain has, and why it cannot be used, empty where it can."""
    facts, kind = situation.facts, situation.answer("proxy.kind", str)
    proxy = facts.proxy(kind)
    if proxy is None:
        return None, f"{kind} is not installed"
    return of_site(proxy, facts.certificates, situation.base, situation.layout.https_port, datetime.now(UTC))


def _base_domain_default(situation: Situation) -> object:
    """Return ``site`` where its certificate can be used: one less to order and to renew."""
    found, why = _of_site(situation)
    return BaseCertificate.ORDERED if found is None or why else BaseCertificate.SITE


def _base_domain_now(situation: Situation) -> str:
    found, why = _of_site(situation)
    if found is None or why:
        return f"The site's certificate cannot be used: {why}."
    proxy = situation.facts.proxy(situation.answer("proxy.kind", str))
    itself = f" {proxy.title} renews it itself." if proxy is not None and proxy.renews(found.chain) else ""
    return f"The site's certificate is {found.chain}, until {found.not_after:%Y-%m-%d}, by {found.issuer}.{itself}"


def _literals(situation: Situation) -> list[str]:
    return [name for name in certificate_names(situation) if naming.is_literal(name)]


def _method_default(situation: Situation) -> object:
    return Method.FILES if _literals(situation) else Method.HTTP_01


def _method_settled(value: object, situation: Situation) -> object:
    literals = _literals(situation)
    if value is Method.PROXY and not _orders_itself(situation):
        kind = situation.answer("proxy.kind", str)
        raise AnswersError(f"{kind} orders no certificates itself", next="Choose http-01, files or self-signed")
    if value in ACME and situation.layout.private:
        raise AnswersError("no authority can ask a host that lives on loopback", next="Choose self-signed or files")
    if value in ACME and literals:
        raise AnswersError(f"{value} gives no certificate for the address {literals[0]}", next="Choose files")
    return value


def _orders_itself(situation: Situation) -> bool:
    """Return whether the chosen proxy, as found, is one that orders certificates itself."""
    proxy = situation.facts.proxy(situation.get("proxy.kind", str) or "")
    return proxy is not None and proxy.orders_certificates


def _method_entails(value: object, situation: Situation) -> str:
    """Return what keeps a proxy from ordering itself at first: it is asked on a port that another one has."""
    holding, kind = holder(situation.facts, situation.layout), situation.get("proxy.kind", str) or ""
    if value is not Method.PROXY or holding is None or holding.kind == kind:
        return ""
    new, port = TITLES.get(kind, kind), situation.layout.http_port
    return (
        f"{new} can order only when it has port {port}, which {holding.title} has now. As long as {new} has no "
        f"certificate of its own for these names, choose an authority, proven on port {port}: that orders while "
        f"{holding.title} still answers. Change to this in a second run."
    )


def _found(name: str, situation: Situation) -> CertificateFiles | None:
    """Return the certificate on this host that is valid for a name the longest."""
    usable = [
        certificate
        for certificate in situation.facts.certificates
        if certificate.matches_key is not False
        and certificate.covers(name.strip("[]"))
        # Whoever takes such a file elsewhere is not told of the next one.
        and not any(proxy.renews(certificate.chain) for proxy in situation.facts.proxies)
    ]
    best = max(usable, key=lambda certificate: certificate.not_after, default=None)
    return CertificateFiles(best.chain, best.key) if best else None


def _brings_files(situation: Situation) -> bool:
    """Return whether files are asked for, or were given, for instance for a name that the proxy cannot order for."""
    if not has_method(Method.PROXY, situation):
        return has_method(Method.FILES, situation)
    return bool(brought_names(situation)) or any(key.startswith("certificates.files") for key in situation.given)


def _files_default(situation: Situation) -> object:
    found = {name: _found(name, situation) for name in brought_names(situation)}
    return found if None not in found.values() else None


def _files_settled(value: object, situation: Situation) -> object:
    given = value if isinstance(value, dict) else {}
    whose = "a certificate of yours" if has_method(Method.PROXY, situation) else "a certificate"
    for name in brought_names(situation):
        if name not in given:
            raise AnswersError(
                f"{whose} is needed for this name",
                where=f'certificates.files."{name}"',
                next="Give the paths of its PEM files, chain and key",
            )
    return value


CERTIFICATES = (
    Question(
        key="certificates.base_domain",
        text="Which certificate the server name has on the port for other servers",
        help="Other servers ask for the server name's own certificate there.",
        kind=Kind.CHOICE,
        read=readers.choice(BaseCertificate),
        default=_base_domain_default,
        applies=lambda situation: has_existing_site(situation) and has_own_port(situation),
        now=_base_domain_now,
        choices=(
            Choice(BaseCertificate.SITE, "that of its site", "Who renews it, if not the proxy, must reload that."),
            Choice(BaseCertificate.ORDERED, "one of its own", "Where it comes from is the next question."),
        ),
        example=BaseCertificate.SITE,
    ),
    Question(
        key="certificates.method",
        text="Where certificates come from",
        help="With http-01 the authority asks this host on port 80, which must be reachable from outside.",
        kind=Kind.CHOICE,
        read=readers.choice(Method),
        default=_method_default,
        settle=_method_settled,
        hidden=lambda situation: frozenset() if _orders_itself(situation) else frozenset({Method.PROXY.value}),
        choices=(
            Choice(Method.HTTP_01, "an authority, proven on port 80", "Ordered and renewed by itself."),
            Choice(Method.DNS_01, "an authority, proven in DNS", "For hosts that port 80 does not reach."),
            Choice(Method.FILES, "files that are there", "You, or another program, renew them."),
            Choice(Method.PROXY, "the proxy", "It orders and renews them itself."),
            Choice(Method.SELF_SIGNED, "an authority of this host", "For trying out; others do not trust it."),
        ),
        entails=_method_entails,
    ),
    *AUTHORITY,
    Question(
        key="certificates.files",
        text="Certificates by name: the PEM files of chain and key",
        help="The chain has the certificate of the name first. Renewal stays with whoever made the files.",
        kind=Kind.TABLE,
        read=readers.files,
        default=_files_default,
        settle=_files_settled,
        applies=_brings_files,
        required=False,
        example='[certificates.files."example.com"]',
    ),
)
