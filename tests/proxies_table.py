"""The README's table of proxies: what each can do, and the test that shows it. ``python -m tests.proxies_table``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palpo_installer.proxies.controls import CONTROLS
from tests.benchmarks.documented import DOCUMENTED
from tests.lab.conformance.rows import ROWS
from tests.rehearsal.made import KINDS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- proxies: begin, by python -m tests.proxies_table -->", "<!-- proxies: end -->"
SUITE = "tests/lab/conformance"
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Claim:
    """Something that a proxy can do here.

    Attributes:
        what: in words.
        tests: by kind of proxy the test that shows it, as ``file::function``; a kind that is missing cannot do it.
        promise: what a row of the suite may deviate from, see ``rows.PROMISES``; empty for nothing.
    """

    what: str
    tests: Mapping[str, str]
    promise: str = ""


def suite(what: str, test: str, promise: str = "") -> Claim:
    """Return a claim that the conformance suite shows for each of its rows."""
    return Claim(what, {row.kind: f"{SUITE}/{test}" for row in ROWS}, promise)


CLAIMS = (
    Claim(
        "found, and read with file and line",
        {
            "nginx": "tests/lab/test_facts_on_real_nginx.py::test_debians_running_nginx_is_found_with_its_sockets",
            "apache": "tests/lab/test_facts_on_real_apache.py::test_virtual_hosts_are_where_apache_has_them",
            "caddy": "tests/lab/test_facts_on_real_caddy.py::test_sites_are_where_caddy_has_them",
            "haproxy": (
                "tests/lab/test_haproxy_guests.py::test_a_frontend_answers_for_a_name_by_its_rules_or_for_every_name"
            ),
        },
    ),
    suite(
        "applied beside a neighbour, again, killed and recovered, renewed, taken back byte for byte",
        "test_way.py::test_the_whole_way_beside_a_neighbour",
    ),
    suite(
        "no request to the neighbour fails meanwhile",
        "test_way.py::test_the_whole_way_beside_a_neighbour",
        "neighbour",
    ),
    suite(
        "every legal target byte for byte, HTTP/1.1 and HTTP/2",
        "test_targets.py::test_legal_targets_arrive_byte_for_byte",
        "legal targets",
    ),
    suite(
        "closed paths stay closed through `..` and escapes",
        "test_targets.py::test_what_is_closed_stays_closed_however_it_is_written",
    ),
    suite(
        "the same for a handshake without a name",
        "test_targets.py::test_what_is_closed_stays_closed_without_a_name",
        "no name",
    ),
    suite(
        "port 80 leads to the same target",
        "test_targets.py::test_port_80_leads_to_the_same_target_over_tls",
        "redirects",
    ),
    suite("forwarding headers cannot be forged", "test_headers.py::test_only_our_forwarding_headers_arrive"),
    suite("… nor stripped by `Connection`", "test_headers.py::test_a_client_cannot_strip_our_headers"),
    suite("lines of 31 KiB", "test_headers.py::test_long_lines_pass", "long lines"),
    suite(
        "lines of 200 KiB are refused",
        "test_headers.py::test_header_lines_that_are_far_too_long_are_refused",
        "endless lines",
    ),
    suite("uploads of 16 MiB, sized and chunked", "test_bodies.py::test_an_upload_at_the_limit_passes"),
    suite("larger ones get 413 in JSON", "test_bodies.py::test_an_upload_above_the_limit_is_answered", "uploads"),
    suite(
        "… which a client that goes on sending reads",
        "test_bodies.py::test_a_client_that_goes_on_sending_reads_why_it_is_refused",
        "refusals",
    ),
    suite("polls and uploads of 100 seconds (`--slow`)", "test_bodies.py::test_a_long_poll"),
    suite(
        "one CORS header, the homeserver's own answers and errors",
        "test_headers.py::test_an_answer_of_the_homeserver_keeps_its_headers",
    ),
    suite("well-known on both hosts", "test_answers.py::test_well_known_documents"),
    Claim(
        "orders and renews certificates itself, and is waited for (`certificates.method = proxy`)",
        {"caddy": "tests/lab/test_caddy_own_orders.py::test_the_whole_way"},
    ),
    Claim(
        "renews them near their end, under requests (2.6 to 2.10, `--slow`)",
        {"caddy": "tests/lab/test_caddy_renewal.py::test_renewed_by_itself_while_all_goes_on"},
    ),
    Claim(
        "the certificate that it orders for a website is shown to other servers as well (`srv`; `--slow`)",
        {"caddy": "tests/lab/test_caddy_lent.py::test_the_whole_way_and_back"},
    ),
    suite("the port of SRV records: its certificate, and 404", "test_answers.py::test_the_port_of_the_srv_records"),
    suite("HTTP/2 offered, TLS 1.1 refused", "test_answers.py::test_http2_is_offered_and_old_tls_refused"),
    suite("fifty wrong logins end with 429", "test_answers.py::test_fifty_wrong_logins", "logins"),
    suite(
        "a homeserver that is away is told as 502 in JSON", "test_answers.py::test_a_homeserver_that_is_away", "away"
    ),
    suite(
        "matrix-media-repo gets its paths, as the server name",
        "test_targets.py::test_media_goes_to_the_media_repository_as_the_server_name",
    ),
    Claim(
        "matrix-media-repo itself behind it: uploads, downloads, requests signed with Palpo's key (`--slow`)",
        dict.fromkeys(
            ("nginx", "apache", "caddy", "haproxy"),
            "tests/lab/test_real_media_repository.py::test_the_whole_way_with_matrix_media_repo",
        ),
    ),
    Claim(
        "a website that is there takes one line of ours (all but nginx: `--slow`)",
        {
            "nginx": "tests/lab/test_existing.py::test_the_whole_way_and_back",
            "apache": "tests/lab/test_apache_existing.py::test_the_whole_way_and_back",
            "caddy": "tests/lab/test_caddy_existing.py::test_the_whole_way_and_back",
            "haproxy": "tests/lab/test_haproxy_existing.py::test_the_whole_way_and_back",
        },
    ),
    Claim(
        "another site for the same name is switched off in the same change (`take_over`; Caddy: `--slow`)",
        {
            "nginx": "tests/lab/test_taking_over.py::test_the_old_homeservers_site_goes_and_comes_back",
            "apache": "tests/lab/test_apache_sites.py::test_the_old_homeservers_sites_go_and_come_back",
            "caddy": "tests/lab/test_caddy_sites.py::test_the_old_homeservers_site_goes_and_comes_back",
        },
    ),
    Claim(
        "one file for both ports is taken over while a certificate is ordered (Apache: `--slow`)",
        dict.fromkeys(
            ("nginx", "apache"),
            "tests/lab/test_taking_over_with_order.py::test_tls_goes_on_while_the_certificate_is_ordered",
        ),
    ),
    Claim(
        "the ports change hands from one proxy to the other (Caddy: `--slow`)",
        {
            **dict.fromkeys(("nginx", "apache"), "tests/lab/test_switching.py::test_from_nginx_to_another_and_back"),
            "caddy": "tests/lab/test_switching.py::test_from_a_caddy_that_goes_on_to_nginx_and_back",
            "haproxy": "tests/lab/test_booted_switching.py::test_units_are_as_if_there_were_only_one",
        },
    ),
    Claim(
        "takes the ports from another proxy while a certificate has to be ordered (`--slow`)",
        dict.fromkeys(
            ("nginx", "apache", "caddy", "haproxy"),
            "tests/lab/test_switching_with_order.py::test_an_order_comes_before_the_old_proxy_leaves",
        ),
    ),
    Claim(
        "takes the ports from another proxy where a website stays on other ports (`--slow`)",
        {
            **dict.fromkeys(
                ("nginx", "apache", "caddy"),
                "tests/lab/test_switching_with_website.py::test_everything_changes_at_once",
            ),
            "haproxy": "tests/lab/test_booted_switching_with_website.py"
            "::test_its_unit_takes_a_directory_and_nobody_fights",
        },
    ),
    Claim(
        "installed where there is no proxy, and purged again (Caddy: `--slow`)",
        {
            "nginx": "tests/lab/test_packages.py::test_a_proxy_is_installed_used_and_purged_again",
            "caddy": "tests/lab/test_packages.py::test_caddy_is_installed_used_and_purged_again",
        },
    ),
    Claim(
        "rehearsed",
        {
            "nginx": "tests/rehearsal/test_rehearsing.py::test_every_promise_is_kept",
            **dict.fromkeys(KINDS, "tests/rehearsal/test_every_proxy.py::test_every_promise_is_kept"),
        },
    ),
    Claim(
        "known traps found by `audit`",
        {
            "nginx": "tests/lab/test_audit.py::test_a_trap_its_finding_and_its_cure",
            "apache": "tests/lab/test_audit_effects.py::test_on_apache",
            "haproxy": "tests/lab/test_audit_effects.py::test_on_haproxy",
            "caddy": "tests/lab/test_audit_effects.py::test_on_caddy",
        },
    ),
    Claim(
        "under systemd, on a booted host (Apache, Caddy and HAProxy: `--slow`)",
        {
            "nginx": "tests/lab/test_booted_apply.py::test_the_whole_way_under_systemd",
            "caddy": "tests/lab/test_caddy_booted.py::test_the_whole_way_under_systemd",
            **dict.fromkeys(
                ("apache", "haproxy"),
                "tests/lab/test_booted_switching.py::test_units_are_as_if_there_were_only_one",
            ),
        },
    ),
    Claim(
        "at least as fast as the documented configuration (`--slow`)",
        dict.fromkeys(DOCUMENTED, "tests/benchmarks/test_proxies.py::test_the_generated_configuration_is_never_behind"),
        "speed",
    ),
)


def table() -> str:
    """Return the table, and below it what is done instead of a promise, with the reason."""
    kinds = [row.kind for row in ROWS]
    notes: list[str] = []
    heads = ["", *(CONTROLS[kind].title for kind in kinds), "shown by"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for claim in CLAIMS:
        cells = [_cell(claim, kind, notes) for kind in kinds]
        files = dict.fromkeys(test.rpartition("/")[2].partition("::")[0] for test in claim.tests.values())
        lines.append(_line([claim.what, *cells, ", ".join(f"`{file}`" for file in files)]))
    numbered = [f"{_superscript(number)} {note}." for number, note in enumerate(notes, 1)]
    return "\n".join([*lines, "", *(f"{note}\\" for note in numbered[:-1]), *numbered[-1:]]).rstrip()


def _cell(claim: Claim, kind: str, notes: list[str]) -> str:
    if kind not in claim.tests:
        return "not shown"
    (row,) = (row for row in ROWS if row.kind == kind)
    deviation = row.deviations.get(claim.promise)
    if deviation is None:
        return "yes"
    if deviation.reason not in notes:
        notes.append(deviation.reason)
    return f"in part{_superscript(notes.index(deviation.reason) + 1)}"


def _superscript(number: int) -> str:
    return str(number).translate(SUPERSCRIPTS)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written(text: str) -> str:
    """Return the README with the table of now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
