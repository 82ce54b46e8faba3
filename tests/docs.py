#!/usr/bin/python3
"""docs.py [--update]: README.md tells the truth.

Runs every `$ command` of the README's console blocks against a live relud that serves the bundled models, and compares what
comes out with what the page says (timings aside). The commands must be those that --help lists, the block after "a flag wins" its options. With
--update the page is corrected instead.
"""
import os
import re
import subprocess
import sys

RELUD = os.environ.get("RELUD", "build/release/relud")
MODELS = ["models/digits", "models/digits-dying"]


def start():
    server = subprocess.Popen([RELUD, "--port", "0", *MODELS], stderr=subprocess.PIPE, text=True)
    for line in server.stderr:
        found = re.match(r"relud: listening on http://127\.0\.0\.1:(\d+)", line)
        if found:
            return server, found[1]
    sys.exit("relud did not start")


def true_output(command, port):
    shown = subprocess.run(["sh", "-c", command.replace(":8080", ":" + port)], capture_output=True, text=True, check=True)
    return shown.stdout.rstrip("\n")


def without_timing(text):
    return re.sub(r'"timing_us":\{[^}]*\}', '"timing_us":{…}', text).strip()


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


def main():
    page = open("README.md", encoding="utf-8").read()
    wrong = []
    server, port = start()
    try:
        fixed = re.sub(r"(```console\n)(.*?)(```)", lambda b: b[1] + check_console(b[2], port, wrong) + b[3], page, flags=re.S)
    finally:
        server.terminate()
        server.wait()
    fixed = check_help(fixed, wrong)
    if "--update" in sys.argv:
        open("README.md", "w", encoding="utf-8").write(fixed)
    elif wrong:
        sys.exit("README.md is wrong:\n" + "\n".join(wrong))


main()
