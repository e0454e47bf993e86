"""The vDSO's image and its trampolines are the same whether they were kept or are made now."""

import pytest

from systrace import cache, machine
from systrace.vdso import image, kept, x86_64

Store = dict[tuple[str, tuple[bytes, ...]], bytes]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    entries: Store = {}
    monkeypatch.setattr(cache, "read", lambda kind, sources: entries.get((kind, sources)))
    monkeypatch.setattr(
        cache, "write", lambda kind, sources, text: entries.update({(kind, sources): text})
    )
    return entries


def own() -> bytes:
    data = image.own_bytes()
    assert data
    return data


def planned(of: image.Image) -> x86_64.Plan:
    return x86_64.make_plan(of, by_cpu=machine.has_rdpid())


def test_a_kept_image_is_the_image(store: Store) -> None:
    made, again = kept.image(own()), kept.image(own())
    assert len(store) == 1
    assert made == again == image.parse(own())


def test_kept_trampolines_are_the_trampolines(store: Store) -> None:
    found = image.parse(own())
    made, again = kept.plan(found), kept.plan(found)
    assert len(store) == 1
    assert made == again == planned(found)
    assert made.trampolines


def test_trampolines_that_ask_for_a_mark_are_kept_apart(store: Store) -> None:
    found = image.parse(own())
    made, again = kept.plan(found, marked=True), kept.plan(found, marked=True)
    assert made == again != kept.plan(found)
    assert len(store) == 2


def test_why_a_function_has_none_is_kept_too(store: Store) -> None:
    text = range(16)
    odd = image.Image(b"\xc3" * 16, (image.Function("odd", 0, 16),), text)
    assert kept.plan(odd) == kept.plan(odd) == planned(odd)
    assert len(store) == 1
    assert set(kept.plan(odd).refused) == {"odd"}


def test_another_vdso_has_another_plan(store: Store) -> None:
    found = image.parse(own())
    other = image.Image(found.data + b"\0", found.functions[:1], found.text)
    assert len(kept.plan(found).trampolines) > 1
    assert kept.plan(other) == planned(other)
    assert len(store) == 2


def test_a_machine_with_other_cpus_has_another_plan(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = image.parse(own())
    codes = []
    for by_cpu in (False, True):
        monkeypatch.setattr(machine, "has_rdpid", lambda by_cpu=by_cpu: by_cpu)
        codes.append([item.code for item in kept.plan(found).trampolines])
    assert codes[0] != codes[1]
    assert len(store) == 2
