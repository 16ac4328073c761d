from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hydracore_core.rollouts.division import divide, planned
from hydracore_crds import Instance
from hydracore_crds.rollout import Selector, Wave, WaveStatus
from tests.core.rollouts.builders import instance


def chosen(count: int, **labels: dict[str, str]) -> dict[str, Instance]:
    names = [f"a-{number}" for number in range(count)]
    return {name: instance(name, labels=labels.get(name.replace("-", "_"))) for name in names}


def test_without_waves_all_are_of_the_first() -> None:
    assert divide([], chosen(2), {}, None) == {"a-0": 1, "a-1": 1}
    assert planned([], {"a-0": 1}) is None


def test_waves_are_filled_by_name_and_the_rest_is_one_more() -> None:
    waves = [Wave(name="canary", count=1), Wave(percent=50)]
    found = divide(waves, chosen(5), {}, None)
    assert found == {"a-0": 1, "a-1": 2, "a-2": 2, "a-3": 2, "a-4": 3}
    sizes = planned(waves, found)
    assert sizes is not None
    assert [(wave.name, wave.planned) for wave in sizes] == [("canary", 1), (None, 3), (None, 1)]


def test_where_nothing_is_left_there_is_no_wave_for_it() -> None:
    waves = [Wave(count=1), Wave(percent=100)]
    sizes = planned(waves, divide(waves, chosen(3), {}, None))
    assert sizes is not None
    assert [wave.planned for wave in sizes] == [1, 2]


def test_a_selector_takes_its_instances_wherever_they_stand() -> None:
    waves = [Wave(count=1), Wave(selector=Selector(match_labels={"ring": "b"}))]
    found = divide(waves, chosen(3, a_0={"ring": "b"}), {}, None)
    assert found == {"a-0": 2, "a-1": 1, "a-2": 3}


def test_targets_that_are_there_keep_their_wave_and_pinned_sizes_hold() -> None:
    waves, kept = [Wave(percent=50)], [WaveStatus(planned=2), WaveStatus(planned=2)]
    found = divide(waves, chosen(5), {"a-4": 1}, kept)
    assert found == {"a-4": 1, "a-0": 1, "a-1": 2, "a-2": 2, "a-3": 2}


@given(
    total=st.integers(0, 40),
    parts=st.lists(st.tuples(st.booleans(), st.integers(1, 100)), max_size=6),
)
def test_everybody_has_a_wave_and_no_wave_is_larger_than_asked(
    total: int, parts: list[tuple[bool, int]]
) -> None:
    waves = [Wave(count=size) if counts else Wave(percent=size) for counts, size in parts]
    found = divide(waves, chosen(total), {}, None)
    assert len(found) == total
    for number, wave in enumerate(waves, start=1):
        size = sum(1 for each in found.values() if each == number)
        most = wave.count if wave.count is not None else -(-total * (wave.percent or 0) // 100)
        assert size <= most
    numbers = [found[name] for name in sorted(found)]
    assert numbers == sorted(numbers), "waves are filled one after the other"
