"""One line of ours goes into files of others of every shape, and out of them again: not a byte is different."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palpo_installer.operations.lines import AddedLine, directive, edited
from palpo_installer.proxies.virtual_hosts import Impossible
from tests.proxies.corpora import CORPORA, SHAPES, Corpus

OURS = "/etc/palpo-installer/example.com.conf"


def goes_in_and_out(corpus: Corpus, data: bytes) -> int:
    """Check every place that a file has for our line, and return how many there are."""
    line, count = corpus.line.format(OURS), 0
    for place in corpus.places(data, line):
        if isinstance(place, Impossible):
            continue
        count += 1
        after = edited(data, {place.before: place.text}, ())
        written, before = after.split(b"\n"), data.split(b"\n")
        assert written[place.before - 1].decode().rstrip("\r") == place.text, "the line is not where it was said"
        assert [*written[: place.before - 1], *written[place.before :]] == before
        assert after.count(b"\r\n") - data.count(b"\r\n") == ends_on_windows(before, place)
        assert edited(after, {}, (directive(place.text),)) == data
    return count


def ends_on_windows(before: list[bytes], place: AddedLine) -> bool:
    """Return whether the line in front of ours, or behind it where it is the first, ends as on Windows."""
    return before[max(place.before - 2, 0)].endswith(b"\r")


@pytest.mark.parametrize(("kind", "name"), SHAPES)
def test_every_site_of_the_corpus_has_a_place(kind: str, name: str) -> None:
    """The line stands where it was said, ends as its neighbours do, and taken out again it leaves nothing."""
    corpus = CORPORA[kind]
    data = corpus.shapes[name]
    places = list(corpus.places(data, corpus.line.format(OURS)))
    assert places
    without = [place.reason for place in places if isinstance(place, Impossible)]
    assert [reason for reason in without if data.endswith(b"\n") or "the file ends here" not in reason] == []
    assert goes_in_and_out(corpus, data) == len(places) - len(without)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=lambda corpus: corpus.kind)
def test_whatever_a_site_holds_the_line_comes_out_again(corpus: Corpus) -> None:
    """For any site that has a place at all."""

    @given(st.lists(st.sampled_from(corpus.pieces), max_size=14))
    def whatever(pieces: list[str]) -> None:
        goes_in_and_out(corpus, f"{corpus.begin}{''.join(pieces)}{corpus.end}".encode())
        goes_in_and_out(corpus, f"{corpus.begin}{''.join(pieces)}".encode())

    whatever()
