import logging
import urllib.error
import warnings

import pytest
from ase.calculators.emt import EMT

from platonic_ase import find_encoder
from platonic_ase.errors import (
    MissingExtraError,
    ModelNotFoundError,
    PlatonicError,
    UntestedVersionWarning,
)
from platonic_ase.models import (
    MODELS,
    find_entry,
    format_models_table,
    installed_models,
    load,
    load_calculator,
    packages,
)
from platonic_ase.models.packages import PACKAGES, Package
from platonic_ase.models.registry import known_encoders
from platonic_ase.testing import MockCalculator

PAPER = (
    "mace-mp-0-small",
    "mace-mp-0-medium",
    "mace-mp-0-large",
    "mace-omat-0",
    "7net-omat",
    "orb-v3-conservative-inf-omat",
    "orb-v3-direct-inf-omat",
)


@pytest.fixture
def opened(monkeypatch):
    """Every package installed, every opener a stand-in; what they were called with."""
    calls = []

    def opener(*arguments):
        calls.append(arguments)
        return MockCalculator()

    monkeypatch.setattr(packages, "version", lambda name: "1.0")
    monkeypatch.setattr(load, "OPENERS", dict.fromkeys(PACKAGES, opener))
    return calls


def offline(*arguments):
    try:
        raise urllib.error.URLError("Name or service not known")
    except urllib.error.URLError as error:
        raise RuntimeError("Model download failed") from error


@pytest.mark.parametrize("name", PAPER)
def test_models_of_the_paper_have_names(name):
    assert find_entry(name)[0].name == name


def test_every_package_with_an_encoder_has_a_name_to_load():
    families = {entry.family for entry in MODELS.values()}
    assert families == set(PACKAGES)
    assert families <= set(known_encoders())


def test_names_ignore_case_and_know_short_forms():
    assert find_entry("CHGNet")[0].label == "0.3.0"
    assert find_entry("NequIP-OAM-L")[0].label == "nequip.net:mir-group/NequIP-OAM-L:0.1"


def test_choice_follows_a_colon_and_defaults_to_the_first(opened):
    load_calculator("uma-s-1p1:omol", device="cpu")
    load_calculator("uma-s-1p1", device="cpu")
    load_calculator("7net-mf-0:r2scan", device="cpu")
    assert [call[4] for call in opened] == [
        {"task_name": "omol"},
        {"task_name": "omat"},
        {"modal": "R2SCAN"},
    ]


def test_options_device_and_path_reach_the_package(opened, tmp_path):
    weights = tmp_path / "weights.model"
    weights.touch()
    load_calculator("mace-mp-0-small", model_path=weights, device="cpu", head="pbe")
    assert opened == [("small", str(weights), "cpu", "float32", {"head": "pbe"})]


def test_name_is_recorded_with_the_identity(opened):
    from platonic_ase.testing import MockEncoder

    assert MockEncoder(load_calculator("orb-v2")).identity.model == "orb-v2"
    assert MockEncoder(load_calculator("uma-s-1p1")).identity.model == "uma-s-1p1:omat"
    assert MockEncoder(MockCalculator()).identity.model == "MockPotential"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chgent-0.3.0", r"did you mean 'chgnet-0\.3\.0'"),
        ("mace-mp-0", r"did you mean 'mace-mp-0-\w+'"),
        ("qwertz", r"no potential is called 'qwertz'; 'platonic-ase models'"),
        ("uma-s-1p1:omatt", r"uma-s-1p1:omat, uma-s-1p1:omol"),
        ("chgnet:omat", r"choose one of chgnet-0\.3\.0"),
    ],
)
def test_unknown_names_get_near_matches(name, said):
    with pytest.raises(ModelNotFoundError, match=said):
        load_calculator(name)


def test_missing_package_gets_the_pip_command(monkeypatch):
    def absent(name):
        raise packages.PackageNotFoundError(name)

    monkeypatch.setattr(packages, "version", absent)
    with pytest.raises(MissingExtraError, match=r"pip install 'platonic_ase\[mace\]'"):
        load_calculator("mace-mp-0-small")


def test_no_network_names_the_file_and_the_option(opened, monkeypatch):
    monkeypatch.setitem(load.OPENERS, "mace", offline)
    with pytest.raises(ModelNotFoundError, match=r"MACE_MPtrj_2022\.9\.model .*model_path=") as e:
        load_calculator("mace-mp-0-large")
    assert "Name or service not known" in str(e.value)


def test_errors_that_are_not_about_files_are_not_hidden(opened, monkeypatch, tmp_path):
    def broken(*arguments):
        raise TypeError("unexpected keyword")

    monkeypatch.setitem(load.OPENERS, "mace", broken)
    with pytest.raises(TypeError, match="unexpected keyword"):
        load_calculator("mace-mp-0-large")
    monkeypatch.setitem(load.OPENERS, "mace", offline)
    with pytest.raises(RuntimeError, match="Model download failed"):
        load_calculator("mace-mp-0-large", model_path=tmp_path)


def test_missing_local_file_is_named(opened, tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"no file at model_path = .*absent\.model"):
        load_calculator("mace-mp-0-large", model_path=tmp_path / "absent.model")
    assert opened == []


def test_dtype_that_the_package_lacks_is_refused(opened):
    with pytest.raises(PlatonicError, match=r"cannot run in 'float64'; .* offers float32"):
        load_calculator("chgnet", dtype="float64")
    load_calculator("mace-mpa-0", dtype="float64")
    assert opened[0][3] == "float64"


def test_prints_and_warnings_go_to_the_log(opened, monkeypatch, capsys, caplog):
    def chatty(*arguments):
        print("running on cpu")
        warnings.warn("no accelerator", stacklevel=1)
        return MockCalculator()

    monkeypatch.setitem(load.OPENERS, "chgnet", chatty)
    with caplog.at_level(logging.INFO, "platonic_ase"), warnings.catch_warnings():
        warnings.simplefilter("error")
        load_calculator("chgnet")
    assert capsys.readouterr().out == ""
    assert "chgnet-0.3.0: running on cpu" in caplog.messages
    assert "chgnet-0.3.0: no accelerator" in caplog.messages


def test_table_lists_every_name_and_how_to_install(monkeypatch):
    monkeypatch.setattr(Package, "installed", property(lambda self: None))
    table = format_models_table()
    lines = table.splitlines()
    assert all(any(line.startswith(f"  {name}") for line in lines) for name in MODELS)
    assert "uma-s-1p1:{omat,omol," in table
    assert "pip install 'platonic_ase[fairchem]'" in table


@pytest.mark.parametrize(
    ("version", "covered"),
    [("0.9.9", False), ("1.0", True), ("1.2.3rc1", True), ("1.3.0+cpu", True), ("1.3.1", False)],
)
def test_tested_range(version, covered):
    assert Package("a", "b", "1.0.0".removesuffix(".0"), "1.3.0").covers(version) is covered


def test_table_says_what_a_user_has_to_know(monkeypatch):
    monkeypatch.setattr(Package, "installed", property(lambda self: "9.9"))
    lines = format_models_table().splitlines()
    heading = next(line for line in lines if line.startswith("mace-torch"))
    assert "9.9 installed" in heading
    assert PACKAGES["mace"].tested in heading
    assert "float32 or float64" in heading
    (omat,) = [line for line in lines if line.startswith("  mace-omat-0 ")]
    assert "Academic Software License (non-commercial)" in omat
    assert omat.endswith(f"fetches  {MODELS['mace-omat-0'].weights}")
    (bundled,) = [line for line in lines if line.startswith("  7net-l3i5 ")]
    assert bundled.endswith("offline")


def test_every_licence_has_a_source():
    for entry in MODELS.values():
        assert entry.licence.name
        assert any(
            said in entry.licence.source
            for said in ("https://", "LICENSE in the package", "with the file")
        )
        assert entry.offline == ("https://" not in entry.weights)


def test_every_name_has_an_encoder():
    assert {row.encoder for row in installed_models()} <= known_encoders().keys()


def test_untested_version_warns_with_both_versions(monkeypatch):
    monkeypatch.setitem(
        packages.__dict__, "PACKAGES", {"geometric": Package("geometric", "ase", "1.0", "1.1")}
    )
    with pytest.warns(UntestedVersionWarning, match=r"ase 3\..* was tested with 1\.0 to 1\.1"):
        find_encoder(EMT())
