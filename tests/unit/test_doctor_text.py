"""A diagnosis as people and as machines read it."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import systrace
from systrace import privilege
from systrace.doctor import examine, rights
from systrace.doctor.findings import Costs, Diagnosis, Finding, Trial
from systrace.options import VDSO_MODES
from systrace.render import doctor
from systrace.render.text import printable
from systrace.report import Machine

from .conftest import TEXT
from .machines import GOOD, NO_BPF
from .test_doctor import BAD, LIMITED, exact

SCHEMA = json.loads(Path(systrace.__file__).with_name("doctor.schema.json").read_text())
ALL = {"good": GOOD, **{f"bad {k}": v for k, v in BAD.items()}, **LIMITED}


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(doctor.document(diagnosis))
    jsonschema.validate(whole, SCHEMA)
    return whole


@pytest.mark.parametrize("name", ALL)
def test_text_and_document_say_the_same_of_every_machine(name: str) -> None:
    diagnosis = examine.judge(ALL[name], exact)
    text, whole = doctor.text(diagnosis), document(diagnosis)
    assert whole["exact"] is diagnosis.exact is ("run is exact here." in text)
    flat = " ".join(text.split())
    for finding in whole["findings"]:
        assert finding["subject"].replace("_", " ") in text
        for part in (finding["says"], finding["consequence"], finding["remedy"]):
            assert part is None or " ".join(part.split()) in flat
    assert text.count("BAD  ") == sum(item["level"] == "bad" for item in whole["findings"])
    assert [trial["mode"] for trial in whole["self_test"]] == list(VDSO_MODES)


def test_the_schema_refuses_a_bad_finding_without_a_remedy() -> None:
    diagnosis = examine.judge(GOOD, exact)
    wanting = Finding("bpf", "bad", None, "it is not there", "run is refused")
    with pytest.raises(jsonschema.ValidationError):
        document(replace(diagnosis, findings=(wanting,)))
    document(replace(diagnosis, findings=(replace(wanting, remedy="get it"),)))


def test_a_line_that_is_to_be_pasted_stands_whole() -> None:
    line = f'sudo -E env "PATH=$PATH" {"/long" * 30}/systrace doctor'
    facts = BAD["privilege"]
    facts = replace(facts, rights=replace(facts.rights, refusal=f"needs root; try:\n  {line}"))
    lines = doctor.text(examine.judge(facts, exact)).splitlines()
    assert f"  {line}" in lines
    assert sum(len(line) > 80 for line in lines) == 1


def test_root_without_capabilities_is_not_told_to_be_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privilege, "effective", lambda: 0)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    facts = replace(GOOD, rights=rights.gather(("doctor",)), kernel=NO_BPF)
    lines = doctor.text(examine.judge(facts, exact)).splitlines()
    at = lines.index(f"{'':27}do: if this is a container, start it with:")
    assert lines[at + 1].startswith("  --cap-add SYS_ADMIN ")
    assert max(map(len, lines)) <= 80
    bpf = lines.index("?         bpf              not tried")
    assert lines[bpf + 1].strip() == "do: see privilege above"
    assert "as root" not in "\n".join(lines)
    few = replace(GOOD.rights, uid=0, lacking={"CAP_SYS_ADMIN": "no uprobes"})
    assert "as root" not in doctor.text(examine.judge(replace(GOOD, rights=few), exact))


def test_costs_that_were_not_measured_are_not_shown_as_zero() -> None:
    diagnosis = replace(examine.judge(GOOD, exact), costs=Costs(None, 164.04, None))
    assert document(diagnosis)["costs"] == {
        "vdso_call_ns": None,
        "system_call_ns": 164.0,
        "breakpoint_hit_ns": None,
    }
    assert doctor.text(diagnosis).count("not measured") == 2


def test_what_the_self_test_found_stands_beside_its_mode() -> None:
    def trials() -> Iterator[Trial]:
        yield Trial("auto", "wrong", "patch", {"getppid": 313}, {"getppid": 312}, "one is missing")
        yield Trial("breakpoint", "refused", says="this machine has no breakpoint")
        yield Trial("off", "exact", "off", {"getppid": 313}, {"getppid": 313})

    diagnosis = examine.judge(GOOD, trials)
    text = doctor.text(diagnosis)
    assert "--vdso auto         WRONG (by patch): one is missing\n" in text
    assert "--vdso breakpoint   refused: this machine has no breakpoint\n" in text
    assert "--vdso off          exact\n" in text
    assert text.endswith("systrace run is NOT exact here: see the self-test.\n")
    wrong, refused, _ = document(diagnosis)["self_test"]
    assert (wrong["expected"], wrong["counted"]) == ({"getppid": 313}, {"getppid": 312})
    assert (refused["counted_by"], refused["counted"]) == (None, {})


@given(TEXT, TEXT, TEXT)
def test_nothing_from_outside_breaks_a_line_or_reaches_the_terminal(
    says: str, remedy: str, kernel: str
) -> None:
    diagnosis = Diagnosis(
        machine=Machine(kernel, "x86_64", 1, says),
        findings=(Finding("bcc", "limited", says, says or "x", "so", remedy or "do"),),
        functions={says: remedy},
        costs=Costs(),
        trials=(Trial("auto", "refused", says=says),),
    )
    text = doctor.text(diagnosis)
    assert [printable(line) for line in text.split("\n")] == text.split("\n")
    text.encode()
    document(diagnosis)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=300))
def test_no_line_is_wider_than_80_columns(word: str) -> None:
    diagnosis = examine.judge(GOOD, exact)
    finding = Finding("vdso", "bad", None, word, word, word)
    text = doctor.text(replace(diagnosis, findings=(finding,), machine=Machine(word, word, 1, "")))
    assert max(map(len, text.splitlines())) <= 80
