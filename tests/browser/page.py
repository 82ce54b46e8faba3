"""What the tests of the page have in common: a browser, and ways to look at what it shows."""
import json
import unittest

from webdriver import Browser

DIGITS, DYING = "models/digits", "models/digits-dying"
VERDICTS = ["dead", "dead_proven", "silent", "dormant", "rare", "always_on", "stuck_high", "saturated"]
SEVEN = [(0.2, 0.17), (0.72, 0.17), (0.72, 0.2), (0.45, 0.9)]  # of the pad

# The colour and opacity in the middle of every cell of a layer's grid, as [r, g, b, a].
CELLS = """
const canvas = [...document.querySelectorAll('.layer')].find((one) => one.dataset.layer === arguments[0]).querySelector('canvas');
const [layer, units] = arguments;
return import('/web/grid.js').then(({ layout }) => {
  const { columns, cell } = layout(units, canvas.parentElement.clientWidth - 4);
  const middle = 2 + Math.floor((cell - Math.max(1, Math.round(cell / 10))) / 2);
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return Array.from({ length: units }, (_, unit) => {
    const at = 4 * ((middle + Math.floor(unit / columns) * cell) * canvas.width + middle + (unit % columns) * cell);
    return [...data.slice(at, at + 4)];
  });
});
"""
# Where the middle of a unit's cell is, from the canvas' top left corner.
PLACE = """
const [selector, unit, units] = arguments;
const canvas = document.querySelector(selector);
return import('/web/grid.js').then(({ layout }) => {
  const { columns, cell } = layout(units, canvas.parentElement.clientWidth - 4);
  return [2 + (unit % columns) * cell + cell / 2, 2 + Math.floor(unit / columns) * cell + cell / 2];
});
"""
DRAWN = "return [...document.querySelectorAll('.sheet canvas')].filter((canvas) => canvas.dataset.drawn === String(arguments[0])).length >= arguments[1]"


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()

    def setUp(self):
        self.browser.size(1440, 1000)
        self.browser.go("about:blank")
        self.browser.requests()
        self.browser.complaints()

    def visit(self, relud, fragment=""):
        """Another page first, so that an address that differs in its fragment only is loaded anew."""
        self.url = relud.url
        self.browser.go("about:blank")
        self.browser.go(f"{relud.url}/{fragment}")

    def visit_digits(self, relud, fragment="", rows=1797):
        self.visit(relud, fragment)
        self.browser.wait("the grids are drawn", DRAWN, rows, 2)

    def quiet(self):
        """No complaint in the console, and nobody else was asked for anything."""
        self.assertEqual(self.browser.complaints(), [])
        for address in self.browser.requests():
            self.assertTrue(address.startswith((self.url + "/", "data:", "about:")), address)

    def value(self, selector):
        return self.browser.run("return document.querySelector(arguments[0]).dataset.value", selector)

    def expect_layers(self, stats):
        """Once the page has heard of them."""
        self.browser.wait("the page is current", "return document.getElementById('samples').dataset.value === arguments[0]", str(stats["samples"]))
        names = self.browser.run("return [...document.querySelectorAll('.layer')].map((one) => one.querySelector('.toggle').textContent)")
        self.assertEqual(names, [layer["name"] for layer in stats["layers"]])
        for i, layer in enumerate(stats["layers"], start=1):
            at = f".layer:nth-child({i}) .facts [data-field={{}}]".format
            self.assertEqual(self.value(at("units")), str(layer["units"]))
            self.assertEqual(self.value(at("sparsity")), "" if layer["sparsity"] is None else self.browser.run("return String(arguments[0])", layer["sparsity"]))
            for verdict in VERDICTS:
                wanted = f"{layer[verdict]['count']:,}" if layer[verdict] else "no range"
                self.assertEqual(self.browser.text(at(verdict)), wanted, f"{layer['name']} {verdict}")

    def open_unit(self, layer, unit, units):
        at = f"[data-layer={layer}] .sheet canvas"
        self.browser.pointer(at, [self.browser.run(PLACE, at, unit, units)])
        return f"[data-layer={layer}] .unit"

    def expect_unit(self, panel, layer, unit):
        self.assertEqual(self.browser.text(f"{panel} h4"), f"{layer['name']}, unit {unit}")
        for field in ("active", "rate", "mean", "mean_abs", "max_preactivation", "margin"):
            said, value = self.value(f"{panel} [data-field={field}]"), layer["unit_stats"][field][unit]
            self.assertEqual(float(said) if said else None, value, field)
        holding = [verdict for verdict in VERDICTS if layer[verdict] and unit in layer[verdict]["units"]]
        shown = self.browser.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.dataset.verdict)", f"{panel} [data-verdict]")
        self.assertEqual(shown, holding)

    def draw(self, strokes=SEVEN):
        size = self.browser.run("return document.getElementById('pad').clientWidth")
        self.browser.pointer("#pad", [(x * size, y * size) for x, y in strokes])

    def posted(self):
        """The body of the last inference that the page asked for."""
        for entry in reversed(self.browser.log("performance")):
            message = json.loads(entry["message"])["message"]
            request = message["params"].get("request", {})
            if message["method"] == "Network.requestWillBeSent" and request["method"] == "POST":
                return request["postData"]
        raise AssertionError("nothing was posted")
