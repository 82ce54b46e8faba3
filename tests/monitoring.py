#!/usr/bin/python3
"""monitoring.py: the files in docker/ that watch over relud and run it fit the relud they are for.

promtool checks the configuration of Prometheus and tries the rules (rules_test.yml). Prometheus itself then scrapes a live
relud by them, and what it records is what GET /stats says. Variables, probes and ports of the compose file and the Kubernetes
manifest are relud's own.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import yaml

from daemon import RELUD, serving

PROMETHEUS = "docker/prometheus"


def fetched(url):
    return urllib.request.urlopen(url, timeout=10).read().decode()


def loaded(path):
    return list(yaml.safe_load_all(open(path, encoding="utf-8")))


# Rules

def check_by_promtool():
    for arguments in (["check", "config", f"{PROMETHEUS}/prometheus.yml"], ["check", "rules", f"{PROMETHEUS}/rules.yml"],
                      ["test", "rules", "tests/rules_test.yml"]):
        subprocess.run(["promtool", *arguments], check=True)


def rules():
    return [rule for group in loaded(f"{PROMETHEUS}/rules.yml")[0]["groups"] for rule in group["rules"]]


def check_metrics_exist(page):
    """What the rules ask of relud is on its page; text in annotations as well, suffixes of histograms aside."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, flags=re.M))
    names = set(re.findall(r"(?<![\w:])(?:relud|process)_\w+(?![\w:])", " ".join(
        text for rule in rules() for text in (rule["expr"], rule.get("annotations", {}).get("action", "")))))
    assert len(names) >= 10, names
    for name in names:
        histogram = re.sub(r"_(bucket|sum|count)$", "", name)
        assert name in types or types.get(histogram) == "histogram", f"the rules ask for {name}, which relud does not have"


def check_alerts_are_tried():
    """Each where it fires, and where it does not."""
    tried = {(case["alertname"], bool(case["exp_alerts"]))
             for test in loaded("tests/rules_test.yml")[0]["tests"] for case in test["alert_rule_test"]}
    expected = {(rule["alert"], fires) for rule in rules() if "alert" in rule for fires in (True, False)}
    assert tried == expected, f"tried on one side only: {tried ^ expected}"


# Prometheus

def write_config(directory, target):
    """The configuration as it is, but for the target and the pace."""
    config = loaded(f"{PROMETHEUS}/prometheus.yml")[0]
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [os.path.abspath(f"{PROMETHEUS}/{name}") for name in config["rule_files"]]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [target]
    path = os.path.join(directory, "prometheus.yml")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file)
    return path


def started_prometheus(directory, target):
    """It, and its URL, on a port that it chose."""
    log = os.path.join(directory, "log")
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(["prometheus", "--config.file", write_config(directory, target), "--storage.tsdb.path",
                                    os.path.join(directory, "data"), "--web.listen-address", "127.0.0.1:0"], stderr=file)
    for _ in range(300):
        found = re.search(r'address=(127\.0\.0\.1:[1-9]\d*)', open(log, encoding="utf-8").read())
        if found:
            return process, f"http://{found[1]}"
        time.sleep(.1)
    process.terminate()
    sys.exit("prometheus did not start:\n" + open(log, encoding="utf-8").read())


def asked(url, path, **query):
    return json.loads(fetched(f"{url}/api/v1/{path}?{urllib.parse.urlencode(query)}"))["data"]


def waited_for(url, query):
    """The samples of a query by its layers, once it has some."""
    for _ in range(300):
        samples = asked(url, "query", query=query)["result"]
        if samples:
            return {sample["metric"].get("layer"): float(sample["value"][1]) for sample in samples}
        time.sleep(.1)
    sys.exit(f"Prometheus recorded nothing as {query}")


def check_what_prometheus_records(url, prometheus):
    layers = json.loads(fetched(f"{url}/stats?model=digits-dying"))["layers"]
    expected = {layer["name"]: layer["dead"]["fraction"] for layer in layers}
    recorded = waited_for(prometheus, 'instance_model_layer:relud_layer_dead_units_per_units:ratio{model="digits-dying"}')
    assert recorded == expected, f"recorded {recorded}, /stats says {expected}"
    assert waited_for(prometheus, 'ALERTS{alertname="ReludLayerMostlyDead"}') == {"fc1": 1}
    for group in asked(prometheus, "rules")["groups"]:
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule


def check_live_rules():
    rows = [list(map(float, line.split(","))) for line in open("models/digits/digits.csv", encoding="utf-8")]
    with serving("models/digits-dying") as url, tempfile.TemporaryDirectory() as directory:
        fetched(urllib.request.Request(f"{url}/infer", json.dumps({"stats": "none", "inputs": rows}).encode()))
        check_metrics_exist(fetched(f"{url}/metrics"))
        process, prometheus = started_prometheus(directory, url.removeprefix("http://"))
        try:
            check_what_prometheus_records(url, prometheus)
        finally:
            process.terminate()
            process.wait()


# Containers

def check_bodies_fit(variables, memory):
    """The numbers read from bodies take up to twice their bytes; half of the memory is left to the models."""
    limit = int(memory.lower().removesuffix("i").removesuffix("m")) << 20
    assert 4 * int(variables["RELUD_MAX_INFLIGHT_BYTES"]) <= limit, f"{variables}, but {memory} of memory"


def check_compose():
    services = loaded("docker/compose.yaml")[0]["services"]
    assert services["prometheus"]["volumes"][0] == "./prometheus:/etc/prometheus:ro"
    target = loaded(f"{PROMETHEUS}/prometheus.yml")[0]["scrape_configs"][0]["static_configs"][0]["targets"]
    host, _, port = target[0].partition(":")
    assert services[host]["image"] == "relud" and services[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {port}\n" in open("Dockerfile", encoding="utf-8").read()
    check_bodies_fit(services[host]["environment"], services[host]["mem_limit"])


def check_kubernetes():
    """relud serves with the manifest's variables and with what Kubernetes adds, and the probes find it."""
    deployment, service = loaded("docker/kubernetes/relud.yaml")
    template = deployment["spec"]["template"]
    container = template["spec"]["containers"][0]
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    options = subprocess.run([RELUD, "--help"], capture_output=True, text=True, check=True).stdout
    for name in variables:
        option = name.removeprefix("RELUD_").lower().replace("_", "-")
        assert re.search(rf"^  --{option} ", options, flags=re.M), f"{name} is no option"
    check_bodies_fit(variables, container["resources"]["limits"]["memory"])
    for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"]):
        assert selector.items() <= template["metadata"]["labels"].items()
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert f"EXPOSE {ports[service['spec']['ports'][0]['targetPort']]}\n" in open("Dockerfile", encoding="utf-8").read()
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    assert variables["RELUD_STATS_DIR"] in mounts and container["securityContext"]["readOnlyRootFilesystem"]
    drain = re.search(r"--drain-timeout-ms .*\[(\d+)\]", options)[1]
    grace = template["spec"]["terminationGracePeriodSeconds"]
    assert 1000 * grace > int(variables["RELUD_DRAIN_DELAY_MS"]) + int(drain)
    with tempfile.TemporaryDirectory() as directory:
        variables |= {"RELUD_STATS_DIR": directory, "RELUD_PORT": "tcp://10.0.0.1:8080", "RELUD_DRAIN_DELAY_MS": "0"}
        with serving("--model-dir", "models", env=os.environ | variables) as url:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container[probe]["httpGet"]["port"] in ports
                fetched(url + container[probe]["httpGet"]["path"])
            fetched(url + service["metadata"]["annotations"]["prometheus.io/path"])


check_by_promtool()
check_alerts_are_tried()
check_live_rules()
check_compose()
check_kubernetes()
