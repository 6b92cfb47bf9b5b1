"""`spikesim bench`: who is measured, what is reported, and how it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikesim import Network
from spikesim.bench import INTERPRETERS, MEASURED, choose, facts, programs, table
from spikesim.cli import main
from spikesim.errors import SpikesimError
from spikesim.models.networks.brunel_10k import Brunel10k
from spikesim.registry import discover

SMALL = [word for key, value in Brunel10k.small.items() for word in ("--set", f"{key}={value}")]
BENCH = ["bench", "brunel_10k", *SMALL, "--time", "20", "--seed", "3", "--threads", "1", "--quiet"]
SHARED = {*MEASURED, "rates_hz", "seed", "threads", "precision"}
NETWORK = '''
from spikesim.experiment import NetworkModel
from spikesim.models.neurons import LIF


class Tonic(NetworkModel):
    """A neuron that fires by itself."""

    I_e: float = 1000.0  # pA

    @property
    def doubled(self):
        return 2 * self.I_e

    def build(self, net):
        net.add(LIF(I_e=self.I_e), 1, name="neuron")
'''
PEER = """
from peer import Job

job = Job()
with job.timed("run"):
    assert job.p.doubled == 2 * job.p.I_e == 1600.0
job.report("1.2", {"neuron": 7.0})
"""


def call(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def told(*words):
    result = call(*words, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


@pytest.fixture
def own(tmp_path):
    """A user's network, with its version for a simulator that every Python has: json."""
    (tmp_path / "peers").mkdir()
    (tmp_path / "tonic.py").write_text(NETWORK, encoding="utf-8")
    (tmp_path / "peers" / "json_tonic.py").write_text(PEER, encoding="utf-8")
    return ["bench", f"{tmp_path / 'tonic.py'}:Tonic", "--set", "I_e=800", "--time", "20", "--seed", "3"]


def test_alone(tmp_path):
    out = tmp_path / "bench.json"
    result = told(*BENCH, "--peers", "", "--repeats", "2", "--out", out)
    assert result.keys() >= SHARED | {"repeats", "peers", "ratio", "provenance"}
    assert (result["repeats"], result["peers"], result["ratio"]) == (2, {}, {})
    assert (result["seed"], result["threads"], result["precision"]) == (3, 1, "double")
    assert result["realtime_factor"] == pytest.approx(sum(result["realtime_factors"]) / 2)
    assert set(result["rates_hz"]) == {"excitatory", "inhibitory"}
    assert json.loads(out.read_text(encoding="utf-8")) == result


def test_a_peer_is_one_more_file(own):
    result = told(*own, "--repeats", "2", "--threads", "1")
    peer = result["peers"]["json"]
    assert peer.keys() >= SHARED
    assert peer["rates_hz"] == {"neuron": 7.0}
    assert (peer["seed"], peer["threads"], len(peer["realtime_factors"])) == (3, 1, 2)
    assert result["ratio"]["json"] == pytest.approx(peer["realtime_factor"] / result["realtime_factor"])
    lines = table(result).splitlines()
    assert any(line.startswith("json 1.2") for line in lines)
    assert any(line.split() == ["neuron", f"{result['rates_hz']['neuron']:.2f}", "7.00"] for line in lines)


def test_an_absent_peer_is_reported_as_absent(tmp_path, own):
    (tmp_path / "peers" / "json_tonic.py").rename(tmp_path / "peers" / "nosuchsimulator_tonic.py")
    result = told(*own, "--repeats", "1")
    assert "not installed" in result["peers"]["nosuchsimulator"]["absent"]
    assert result["ratio"] == {"nosuchsimulator": None}
    assert result["realtime_factor"] > 0
    assert "absent" in table(result)


def test_a_peer_that_fails_fails_the_run(tmp_path, own):
    (tmp_path / "peers" / "json_tonic.py").write_text("raise SystemExit('out of luck')", encoding="utf-8")
    result = call(*own, "--repeats", "1")
    assert result.exit_code == 1
    assert "json failed: out of luck" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bench", "brunel_10"], "did you mean 'brunel_10k'"),
        ([*BENCH, "--peers", "nset"], "did you mean 'nest'"),
        ([*BENCH, "--peers", "nest=/no/such/python"], "is no interpreter"),
        ([*BENCH, "--set", "plasticity=pear"], "did you mean 'pair'"),
        ([*BENCH, "--repeats", "0"], "repeats"),
        ([*BENCH, "--peers", "", "--time", "0.01"], "multiple of dt"),
    ],
)
def test_refuses(words, said):
    result = call(*words)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_interpreters(monkeypatch):
    monkeypatch.setenv(INTERPRETERS, "nest=a,brian2=b")
    assert choose("brunel_10k", None) == {"nest": "a", "brian2": "b"}
    assert choose("brunel_10k", "nest=c") == {"nest": "c"}
    monkeypatch.delenv(INTERPRETERS)
    assert choose("brunel_10k", "nest") == {"nest": sys.executable}
    with pytest.raises(SpikesimError, match="auryn"):
        choose("brunel_10k", "auryn")


def test_peers_read_nothing_but_what_they_are_told():
    """Every name that a program reads from `p` is a parameter or property of its network."""
    for name, network in discover("network").items():
        for path in programs(name).values():
            read = set(re.findall(r"\bp\.(\w+)", path.read_text(encoding="utf-8")))
            assert read <= facts(network()).keys(), path.name


@pytest.mark.parametrize(("plasticity", "plastic"), [("static", 0), ("pair", 1), ("triplet", 1)])
def test_brunel_10k_is_the_network_it_says(plasticity, plastic):
    model = Brunel10k(plasticity=plasticity, **Brunel10k.small)
    net = Network(dt=model.dt, seed=1)
    model.build(net)
    exc = net.populations[0]
    assert sum(p.rule is not None for p in net.projections) == plastic
    assert sum(len(p) for p in net.projections) == (model.N_E + model.N_I) * (model.C_E + model.C_I)
    assert exc.get("I_e")[0] * model.tau_m / exc.get("C_m")[0] == pytest.approx(model.drive)
    assert 0 <= exc.get("V_m").min() < exc.get("V_m").max() < model.theta


def test_peer_programs_compile():
    for name in discover("network"):
        for path in programs(name).values():
            compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_against_peers_knows_its_benchmarks():
    script = Path(__file__).parent.parent / "benchmarks" / "against_peers.py"
    done = subprocess.run([sys.executable, script, "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "brunel_static" in done.stderr
