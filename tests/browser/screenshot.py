#!/usr/bin/python3
"""screenshot.py FILE: the picture in README.md: digits-dying after its data set, with a little traffic and a seven drawn."""
import random
import sys
import time

from page import DIGITS, DYING, PLACE, SEVEN
from relud import Relud
from webdriver import Browser

SECONDS = 100


def traffic(relud, rows):
    """Requests of a few rows, more and less of them, as from people."""
    end = time.monotonic() + SECONDS
    while (left := end - time.monotonic()) > 0:
        few = random.choices(rows, k=random.choice([1, 1, 1, 2, 4]))
        relud.post('{"stats":"none","inputs":[' + ",".join(f"[{row}]" for row in few) + "]}")
        time.sleep(random.expovariate(60 if left % 60 > 25 else 25))


def main(path):
    random.seed(1)
    with open(f"{DIGITS}/digits.csv", encoding="utf-8") as file:
        rows = file.read().split()
    with Relud("--default-model", "digits-dying", DYING, DIGITS) as relud, Browser(1280, 940) as browser:
        relud.infer_digits("digits-dying")
        browser.go(relud.url + "/")
        traffic(relud, rows)
        size = browser.run("return document.getElementById('pad').clientWidth")
        browser.pointer("#pad", [(x * size, y * size) for x, y in SEVEN])
        browser.click("#infer")
        browser.wait("there is an answer", "return !document.getElementById('unlight').hidden")
        browser.click("#unlight")
        at = "[data-layer=fc1] .sheet canvas"
        browser.pointer(at, [browser.run(PLACE, at, 35, 128)])
        browser.run("document.activeElement.blur(); scrollTo(0, 0)")
        time.sleep(1)
        browser.screenshot(path)


main(sys.argv[1])
