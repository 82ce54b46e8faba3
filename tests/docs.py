#!/usr/bin/python3
"""docs.py [--update]: README.md and docs/*.md tell the truth.

Runs every `$ command` of a page's console blocks against a live relud that serves the bundled models, a fresh one for each
page, and compares what comes out with what the page says (timings and times of day aside). The commands in README.md must be
those that --help lists, the block after "a flag wins" its options, and its benchmarks' figures those of docs/benchmarks.md.
Links between files and to headings must lead somewhere. With --update the pages are corrected instead.
"""
import glob
import os
import re
import subprocess
import sys

from bench.pages import SUMMARIES, with_headlines
from daemon import RELUD, serving

MODELS = ["models/digits", "models/digits-dying"]


def true_output(command, port):
    shown = subprocess.run(["sh", "-c", command.replace(":8080", ":" + port)], capture_output=True, text=True, check=True)
    return shown.stdout.rstrip("\n")


def without_timing(text):
    text = re.sub(r'"timing_us":\{[^}]*\}', '"timing_us":{…}', text)
    return re.sub(r'"since":"[^"]*"', '"since":"…"', text).strip()


def check_console(block, port, wrong):
    """A console block with its true outputs; where they differ from the page's, wrong grows."""
    shown = []
    for part in re.split(r"^(?=\$ )", block, flags=re.M):
        command, _, said = part.partition("\n")
        if not command:
            continue
        output = true_output(command[2:], port)
        if without_timing(output) != without_timing(said):
            wrong.append(f"{command}\n  the page says: {said.strip()}\n  relud says:    {output}")
            said = output + "\n" if output else ""
        shown.append(command + "\n" + said)
    return "".join(shown)


def commands(text):
    """The words of each line "relud WORD…", as far as they are a command's."""
    return [words.strip() for words in re.findall(r"^ *relud ((?:[a-z]+ ?)+|\S+)", text, flags=re.M)]


def check_help(page, wrong):
    """The commands and options that --help lists; the commands' own options may be told at more length."""
    text = subprocess.run([RELUD, "--help"], capture_output=True, text=True, check=True).stdout
    options = text[text.index("  --host"):]
    listed = re.search(r"## Command line\n\n```\n(.*?)```", page, flags=re.S)[1]
    if commands(listed) != commands(text):
        wrong.append(f"the page lists the commands {commands(listed)}, --help {commands(text)}")

    def replace(found):
        if found[2] != options:
            wrong.append("the list of options is not what --help prints")
        return found[1] + options + found[3]

    return re.sub(r"(a flag wins\):\n\n```\n)(.*?)(```)", replace, page, flags=re.S)


def check_headlines(page, wrong):
    true = with_headlines(page, SUMMARIES.read_text())
    if true != page:
        wrong.append("the benchmarks' headlines are not the figures of docs/benchmarks.md")
    return true


def anchors(path):
    """What links call the headings of a page, as GitHub does."""
    headings = re.findall(r"^#+ (.*)$", open(path, encoding="utf-8").read(), flags=re.M)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def check_links(name, page, wrong):
    """Targets that are files, seen from the page, and headings."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page):
        path = os.path.join(os.path.dirname(name), target) if target else name
        if not os.path.exists(path) or anchor and anchor not in anchors(path):
            wrong.append(f"a link leads to {target}{anchor and '#' + anchor}, which is not there")


def check_page(name, wrong):
    """The page with its true outputs; what is wrong with it goes into wrong."""
    page = open(name, encoding="utf-8").read()
    check_links(name, page, wrong)
    with serving(*MODELS) as url:
        port = url.rpartition(":")[2]
        page = re.sub(r"(```console\n)(.*?)(```)", lambda b: b[1] + check_console(b[2], port, wrong) + b[3], page, flags=re.S)
    return check_headlines(check_help(page, wrong), wrong) if name == "README.md" else page


def main():
    failed = False
    for name in ["README.md", *sorted(glob.glob("docs/*.md"))]:
        wrong = []
        fixed = check_page(name, wrong)
        if "--update" in sys.argv:
            open(name, "w", encoding="utf-8").write(fixed)
        elif wrong:
            failed = True
            print(f"{name} is wrong:\n" + "\n".join(wrong))
    sys.exit(failed)


main()
