"""Sites for our names that are switched off: what is refused, and what becomes of a real nginx."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from palpo_installer.certificates import authority
from palpo_installer.changes import Plan
from palpo_installer.errors import RefusedPlan
from palpo_installer.host import Host
from palpo_installer.layout import Layout
from palpo_installer.operations.certificates import OrderCertificate
from palpo_installer.operations.files import RemoveFile
from palpo_installer.operations.rests import RemoveRest, WriteRest
from palpo_installer.plan import make
from palpo_installer.planning.inputs import Inputs
from palpo_installer.probe import Question, ask
from tests.lab.pebble import web_certificate
from tests.planning.made import OfflineHost, carry_out, configured, real_inputs, serving
from tests.ports import free_port
from tests.trees import tree

NAME = "matrix.example.com"
TAKEN: Mapping[str, object] = {"proxy.take_over": True, "names.base_domain": "elsewhere"}


def site(root: Path, text: str, file: str = "conf.d/10-old.conf") -> OfflineHost:
    """Return a host with a site of somebody else; HTTP, HTTPS, CHAIN and KEY stand for what they say."""
    host = configured(root)
    add(host, text, file)
    return host


def add(host: Host, text: str, file: str) -> None:
    """Write a file of nginx's configuration."""
    layout = host.layout
    chain, key = web_certificate(layout.root)
    values = {"HTTPS": layout.https_port, "HTTP": layout.http_port, "CHAIN": chain, "KEY": key}
    for word, value in values.items():
        text = text.replace(word, str(value))
    layout.at(f"/etc/nginx/{file}").write_text(text)


PLAIN = f'server {{ listen 127.0.0.1:HTTP; server_name {NAME}; return 200 "old"; }}\n'
SECURE = (
    f"server {{ listen 127.0.0.1:HTTPS ssl; server_name {NAME}; ssl_certificate CHAIN; ssl_certificate_key KEY; "
    'return 200 "old"; }\n'
)
OTHER = 'server { listen 127.0.0.1:HTTP; server_name shop.example; return 200 "shop"; }\n'


def says(host: Host, name: str, *, tls: bool) -> tuple[int, bytes]:
    """Return what a name answers."""
    port = host.layout.https_port if tls else host.layout.http_port
    answer = ask(Question("127.0.0.1", port, tls=tls, host=name, sni=name if tls else "", target="/"))
    return answer.status, answer.body


def removed(plan: Plan) -> list[tuple[str, str]]:
    """Return each change that removes something, with what it removes."""
    return [
        (change.title.partition(" on ")[0], operation.path.name)
        for change in plan.changes
        for operation in change.operations
        if isinstance(operation, RemoveFile)
    ]


def planned(host: Host, **more: object) -> tuple[Plan, Inputs]:
    """Return the plan for a host with a running nginx where sites may be taken over."""
    inputs = real_inputs(host, {**TAKEN, **more})
    return make(inputs), inputs


def test_one_file_for_both_is_replaced_in_one_change(tmp_path: Path) -> None:
    """The name answers from ours on both ports, neighbours as before; planned again, nothing is left to do."""
    with serving(site(tmp_path, PLAIN + SECURE)) as host:
        assert [says(host, NAME, tls=tls) for tls in (False, True)] == [(200, b"old")] * 2
        plan, inputs = planned(host)
        assert removed(plan) == [("plain HTTP", "10-old.conf")]
        assert f"{tmp_path}/etc/nginx/conf.d/10-old.conf is switched off: this installation answers for {NAME} " in (
            "\n".join(plan.findings)
        )
        carry_out(plan, inputs)
        assert [says(host, NAME, tls=tls)[0] for tls in (False, True)] == [301, 404]
        assert says(host, "neighbour.example", tls=False) == (200, b"neighbour")
        assert not (tmp_path / "etc/nginx/conf.d/10-old.conf").exists()
        after = tree(tmp_path)
        assert planned(host)[0].changes == ()
        assert tree(tmp_path) == after
    saved = tomllib.loads((tmp_path / "etc/palpo-installer/answers.toml").read_text())
    assert "take_over" not in saved["proxy"], "consent is for this time"


def test_files_of_one_kind_go_with_the_half_that_replaces_them(tmp_path: Path) -> None:
    """Each name and port always has a site: the plain file goes first, the other one when the certificate is there."""
    host = site(tmp_path, PLAIN, "conf.d/10-plain.conf")
    add(host, SECURE, "conf.d/11-tls.conf")
    with serving(host):
        plan, inputs = planned(host)
        assert removed(plan) == [("plain HTTP", "10-plain.conf"), ("HTTPS", "11-tls.conf")]
        carry_out(plan, inputs)
        assert [says(host, NAME, tls=tls)[0] for tls in (False, True)] == [301, 404]


def test_without_the_answer_the_site_stays_and_the_plan_says_where_it_is(tmp_path: Path) -> None:
    """Nothing is taken that was not given."""
    with serving(site(tmp_path, PLAIN)) as host, pytest.raises(RefusedPlan) as refused:
        make(real_inputs(host, {"names.base_domain": "elsewhere"}))
    assert refused.value.where == f"{tmp_path}/etc/nginx/conf.d/10-old.conf:1"
    assert "proxy.take_over = true" in refused.value.next


REFUSED = {
    "serves another name": ("conf.d/10-old.conf", PLAIN + OTHER, "this file serves shop.example as well", ":2"),
    "has an alias": ("conf.d/10-old.conf", PLAIN.replace(NAME, f"{NAME} m.example"), "serves m.example as well", ":1"),
    "answers without a name": (
        "conf.d/10-old.conf",
        PLAIN + "server { listen 127.0.0.1:HTTP; return 404; }\n",
        "serves requests without a known name as well",
        ":2",
    ),
    "is included by name": ("extra.inc", PLAIN, "in a file that nginx cannot do without", "extra.inc"),
    "comes back": ("conf.d/10-old.conf", f"# Managed by Puppet\n{PLAIN}", "Puppet writes this file", "10-old.conf"),
    "expects another protocol": (
        "conf.d/10-old.conf",
        SECURE.replace(" ssl;", " ssl proxy_protocol;"),
        "expects the PROXY protocol of a load balancer",
        ":1",
    ),
}


@pytest.mark.parametrize(("file", "text", "reason", "where"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_switched_off_is_refused_with_its_place(
    tmp_path: Path, file: str, text: str, reason: str, where: str
) -> None:
    """With what to move, so that nobody else's site is lost."""
    host = site(tmp_path, text, file)
    main = tmp_path / "etc/nginx/nginx.conf"
    if file.endswith(".inc"):
        main.write_text(main.read_text().replace("include ", f"include {tmp_path}/etc/nginx/{file};\n    include ", 1))
    with pytest.raises(RefusedPlan, match=reason) as refused:
        planned(host)
    assert refused.value.where.endswith(where)
    assert refused.value.next


ACME: Mapping[str, object] = {
    "certificates.method": "http-01",
    "certificates.directory": "https://127.0.0.1:1/directory",
    "certificates.agree_terms": True,
}


def test_tls_goes_on_beside_the_file_until_there_is_a_certificate(tmp_path: Path) -> None:
    """With an order to come, port 80 goes first; the rest has only TLS, is read in the file's place, and goes last."""
    host = site(tmp_path, PLAIN + SECURE)
    add(host, OTHER, "conf.d/10-old.shop.conf")
    plan, _ = planned(host, **ACME)
    assert removed(plan) == [("plain HTTP", "10-old.conf")]
    kinds = (WriteRest, OrderCertificate, RemoveRest)
    steps = [each for change in plan.changes for each in change.operations if isinstance(each, kinds)]
    assert [type(each) for each in steps] == [WriteRest, OrderCertificate, RemoveRest]
    first, last = steps[0], steps[-1]
    assert isinstance(first, WriteRest)
    assert isinstance(last, RemoveRest)
    assert first.rest == last.rest
    assert first.rest.path.name == "10-old-palpo-installer.conf"
    old = first.rest.path.with_name("10-old.conf").read_text()
    assert first.rest.data().decode() == old.split("\n", 1)[1]
    assert "goes on in" in "\n".join(plan.findings)
    asked = [each for change in plan.changes for each in getattr(change.activation, "neighbours", ())]
    assert (NAME, True) in {(each.host, each.tls) for each in asked}, "that it goes on is proven"


def test_a_file_that_cannot_be_taken_apart_is_refused_with_the_other_way(tmp_path: Path) -> None:
    """Two blocks on a line: what to answer so that nothing has to be ordered is said."""
    now = authority.issue(NAME, Layout(tmp_path / "elsewhere"))
    secure = SECURE.replace("CHAIN", str(now.chain)).replace("KEY", str(now.key))
    host = site(tmp_path, PLAIN.rstrip() + secure)
    with pytest.raises(RefusedPlan, match="line 1: more than one server block begins here") as refused:
        planned(host, **ACME)
    assert refused.value.where == f"{tmp_path}/etc/nginx/conf.d/10-old.conf"
    assert f"certificates.method = files, with {NAME} = {now.chain} and {now.key}; or" in refused.value.next


def test_ports_and_requests_that_others_answer_then_are_said(tmp_path: Path) -> None:
    """A port that only the old site had, and requests without a known name."""
    more = free_port()
    text = PLAIN + SECURE.replace("server_name", f"listen 127.0.0.1:{more} ssl; server_name")
    host = site(tmp_path, text)
    said = "\n".join(planned(host)[0].findings)
    assert f"Nothing answers on port {more} any more" in said
    old = f"{tmp_path}/etc/nginx/conf.d/10-old.conf:2"
    secure = host.layout.https_port
    assert f"at 127.0.0.1 port {secure} were answered by {old}, and are by this installation then" in said
    assert f"port {host.layout.http_port} were" not in said
