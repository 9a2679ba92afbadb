"""The benchmark of sites on recorded data: the mirror's objects and physics, and that held-out parts are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from trajnet.datasets.apolloscape import APOLLOSCAPE
from trajnet.datasets.folders import part_files
from trajnet.datasets.vru import VRU
from trajnet.protocols.sites.benchmark import SiteOptions, benchmark_sites
from trajnet.protocols.sites.conditions import Condition
from trajnet.protocols.sites.site_list import KNOWN_SITES, sites_at_hand
from trajnet.scenes.nuscenes_everybody import MINI_SCENES

pytestmark = [pytest.mark.data]


def test_every_known_site_is_at_hand_and_held_out(data_dir: Path) -> None:
    found, absent = sites_at_hand([data_dir])
    assert absent == {}
    files = {site.name: site.files for site in found}
    assert list(files) == [site.name for site in KNOWN_SITES]
    assert {path.parent.name for path in files["nuscenes_agents"]} == {"val"}
    assert not {path.stem for path in files["nuscenes_agents"]} & MINI_SCENES
    assert {path.parent.name for path in files["mona_east"]} == {"MONA-East"}
    assert len(files["eth_ucy"]) == 8
    assert all(path.stem.endswith("_val") for path in files["eth_ucy"])
    assert len(files["us101"]) == 27
    for name, dataset in (("apolloscape", APOLLOSCAPE), ("vru", VRU)):  # whose other parts models were trained on
        learned = {path for part in (*dataset.splits["train"], *dataset.splits["val"])
                   for path in part_files(dataset, [data_dir], part)}  # fmt: skip
        assert files[name]
        assert not set(files[name]) & learned


@pytest.mark.slow
def test_the_mirror_has_the_objects_and_the_physics_of_before(data_dir: Path) -> None:
    sites, _ = sites_at_hand([data_dir], names=["nuscenes_mini"])
    report = benchmark_sites(sites, {}, ["cv"], SiteOptions(conditions=(Condition(),)))
    whole = report["sites"][0]["conditions"][0]["models"]["cv"]["divisions"]["whole"]["all"]
    assert (whole["objects"], whole["tracks"]) == (3571, 468)
    assert whole["physics_ade_m"] == pytest.approx(0.914, abs=5e-4)
