"""The page in a headless Chromium: what it shows is what /stats says, whatever is clicked."""
import json
import os
import shutil
import sys
import tempfile
import time

from page import CELLS, DIGITS, DRAWN, DYING, PageTest
from relud import Relud, chain, random_body

HOSTILE = "<img src=x onerror=document.title=1>"


class Page(PageTest):
    # What is shown

    def test_values_equal_those_of_stats(self):
        with Relud(DYING, DIGITS) as relud:
            relud.infer_digits("digits-dying")
            stats = relud.stats()
            self.visit_digits(relud)
            self.expect_layers(stats)
            self.assertEqual(self.value("#samples"), "1797")
            self.assertEqual(float(self.value("#trend-dead b")), stats["totals"]["dead_fraction"])
            self.assertEqual(float(self.value("#trend-sparsity b")), stats["totals"]["sparsity"])
            self.assertIn("74 of 192 units", self.browser.text("#trend-dead"))
            self.assertEqual(self.browser.text("#state"), "ready")
            self.quiet()

    def test_a_unit_is_told_by_click_and_by_key(self):
        with Relud(DYING) as relud:
            relud.infer_digits("digits-dying")
            layer = relud.stats()["layers"][0]
            dead, proven = layer["dead"]["units"][0], layer["dead_proven"]["units"][0]
            alive = next(unit for unit, active in enumerate(layer["unit_stats"]["active"]) if active > 100)
            self.visit_digits(relud)
            for unit in (dead, proven, alive):
                panel = self.open_unit("fc1", unit, layer["units"])
                self.expect_unit(panel, layer, unit)
            self.open_unit("fc1", dead, layer["units"])
            self.assertEqual(float(self.value(f"{panel} [data-field=rate_upper_95]")), layer["dead"]["rate_upper_95"])
            self.assertIn("no gradient passes", self.browser.text(panel))
            self.browser.type("[data-layer=fc1] .sheet canvas", "\ue014")  # the right arrow
            self.expect_unit(panel, layer, dead + 1)
            self.browser.click(f"{panel} .close")
            self.assertTrue(self.browser.run("return document.querySelector(arguments[0]).hidden", panel))
            self.quiet()

    def test_colours_are_those_of_the_rates(self):
        with Relud(DYING) as relud:
            relud.infer_digits("digits-dying")
            layer = relud.stats()["layers"][0]
            self.visit_digits(relud)
            drawn = self.browser.run(CELLS, "fc1", layer["units"])
            rates = layer["unit_stats"]["rate"]
            wanted = self.browser.run("return import('/web/colours.js').then(({ rateColour }) => arguments[0].map((rate) => rateColour(rate)))", rates)
            colour = lambda pixel: "rgb({} {} {})".format(*pixel[:3])
            alive = [unit for unit, rate in enumerate(rates) if rate > 0]
            self.assertEqual([colour(drawn[unit]) for unit in alive], [wanted[unit] for unit in alive])
            self.assertGreater(len({wanted[unit] for unit in alive}), 20)
            for unit in layer["dead"]["units"]:  # crossed out in red, or in white on red
                red, green, blue, _ = drawn[unit]
                self.assertTrue(red > 2 * max(green, blue) or unit in layer["dead_proven"]["units"], drawn[unit])
            self.quiet()

    def test_a_count_shows_its_units(self):
        with Relud(DYING) as relud:
            relud.infer_digits("digits-dying")
            layer = relud.stats()["layers"][0]
            self.visit_digits(relud)
            self.browser.click("[data-layer=fc1] .facts .rare")
            lit = [unit for unit, pixel in enumerate(self.browser.run(CELLS, "fc1", layer["units"])) if pixel[3] > 200]
            self.assertEqual(lit, layer["rare"]["units"])
            self.quiet()

    def test_the_windows_are_those_of_stats(self):
        with Relud(DYING) as relud:
            relud.infer_digits("digits-dying")
            self.visit_digits(relud)
            self.browser.requests()
            self.browser.run("document.querySelector('#windows input[value=\"60s\"]').click()")
            self.browser.wait("the window is asked for", "return location.hash.includes('window=60s') && document.querySelector('#samples').dataset.value === '1797'")
            time.sleep(1)
            asked = [address for address in self.browser.requests() if "/stats?" in address]
            self.assertTrue(asked and "window=60s" in asked[-1], asked)
            self.expect_layers(relud.stats("window=60s"))
            self.quiet()

    def test_another_model_can_be_chosen(self):
        with Relud(DYING, DIGITS) as relud:
            relud.infer_digits("digits-dying")
            relud.infer_digits("digits")
            self.visit_digits(relud)
            self.browser.type("#model", "digits\ue007")  # by its first letters, and enter
            self.browser.wait("the other is shown", "return document.querySelector('#trend-dead').textContent.includes('2 of 192 units')")
            self.expect_layers(relud.stats("model=digits"))
            self.visit_digits(relud, "#model=digits")
            self.expect_layers(relud.stats("model=digits"))
            self.quiet()

    def test_what_a_level_does_not_measure_is_said(self):
        with Relud(DIGITS, "--stats", "counts") as relud:
            relud.infer_digits("digits")
            self.visit_digits(relud)
            self.assertEqual(self.browser.text("[data-layer=fc1] .facts [data-field=dormant]"), "not measured")
            panel = self.open_unit("fc1", 3, 128)
            for field in ("mean", "margin"):
                self.assertEqual(self.browser.text(f"{panel} [data-field={field}]"), "not measured")
            self.assertEqual(float(self.value(f"{panel} [data-field=rate]")), relud.stats()["layers"][0]["unit_stats"]["rate"][3])
            self.quiet()
        with Relud(DIGITS, "--stats", "off") as relud:
            relud.infer_digits("digits")
            self.visit(relud)
            self.browser.wait("it is said", "return document.querySelector('.layer .badge')?.textContent === 'statistics are off'")
            self.assertIn("not measured", self.browser.text("#trend-dead"))
            for field in ("dead", "dead_proven"):
                self.assertEqual(self.browser.text(f"[data-layer=fc1] .facts [data-field={field}]"), "not measured")
            self.assertEqual(self.browser.text("#outside"), "not measured")
            self.draw()
            self.browser.click("#infer")
            self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
            layer = relud.post(self.posted())["stats"]["layers"][0]
            lit = [unit for unit, pixel in enumerate(self.browser.run(CELLS, "fc1", 128)) if pixel[3] > 200]
            self.assertEqual(lit, layer["active_units"][0])
            self.quiet()

    def test_few_rows_are_undecided(self):
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            panel = self.open_unit("fc1", 3, 128)
            self.assertEqual(self.browser.text(f"{panel} .verdicts"), "no verdict: no row was counted yet")
            self.assertEqual(self.browser.text(f"{panel} [data-field=margin]"), "–")
            relud.post('{"inputs":[' + ",".join("5" * 64) + "]}")
            self.visit_digits(relud, rows=1)
            self.assertEqual(self.browser.text("[data-layer=fc1] .badge"), "undecided: 1 of 1,000 rows")
            self.assertIn("undecided", self.browser.text("#trend-dead"))
            pixels = self.browser.run(CELLS, "fc1", 128)
            self.assertTrue(all(abs(red - blue) < 40 for red, _, blue, alpha in pixels if alpha > 200), "greyed")
            self.quiet()

    # Hostile and unlucky circumstances

    def shown(self):
        """What is said of the model as a whole."""
        return self.browser.run("return ['samples', 'since', 'outside', 'silent', 'level'].map((id) => document.getElementById(id).textContent)")

    def test_what_is_shown_is_the_chosen_models_own(self):
        """Also where that is unavailable, and when it is replaced by a smaller one."""
        with tempfile.TemporaryDirectory() as directory:
            shutil.copytree(DIGITS, f"{directory}/digits/1")
            shutil.copytree(DYING, f"{directory}/digits/2")
            with Relud("--model-dir", directory, "--admin") as relud:
                relud.infer_digits("digits")
                self.visit_digits(relud, "#model=digits")  # the version that answers
                self.assertEqual(self.browser.text("#version"), "2")
                self.expect_layers(relud.stats("model=digits&version=2"))
                self.open_unit("fc1", 127, 128)
                self.browser.click("#infer")
                self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
                chain(f"{directory}/digits/2/model.onnx", 30, 2, name="fc{}")
                os.remove(f"{directory}/digits/2/config.json")
                relud.change("digits", "load")
                self.browser.wait("the other is shown", DRAWN, 0, 2)
                self.expect_layers(relud.stats("model=digits&version=2"))
                self.assertEqual(self.browser.run("return document.querySelectorAll('.unit:not([hidden]), .lit:not([hidden]), #outcome:not([hidden])').length"), 0)
                self.quiet()
                relud.change("digits", "unload")
                self.browser.wait("it is said", "return document.getElementById('reason').textContent === 'This model is unavailable: unloaded'")
                self.assertEqual(self.shown(), ["–"] * 5)
                self.assertTrue(self.browser.text("#trend-dead").startswith("Dead\n–\nunavailable"), self.browser.text("#trend-dead"))
                self.quiet()

    def test_names_are_text(self):
        with tempfile.TemporaryDirectory() as directory:
            chain(f"{directory}/model.onnx", 10, 2, name=HOSTILE + "{}")
            labels = [f"{HOSTILE}{i}" for i in range(10)]
            with open(f"{directory}/config.json", "w", encoding="utf-8") as file:
                json.dump({"inputs": {"x": {"min": -1, "max": 1}}, "outputs": {"h1": {"labels": labels}}}, file)
            with Relud("--model-name", HOSTILE, directory) as relud:
                stats = relud.stats()
                self.assertIn(HOSTILE, stats["layers"][0]["name"])
                self.visit_digits(relud, rows=0)
                self.browser.click("#random")
                self.browser.click("#infer")
                self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
                self.browser.run("document.querySelector('.layer .sheet canvas').dispatchEvent(new KeyboardEvent('keydown', {key: 'End'}))")
                text = self.browser.run("return document.body.innerText")
                self.assertGreaterEqual(text.count(HOSTILE), 2 + 1 + 10)
                self.assertEqual(self.browser.run("return document.getElementById('model').textContent"), HOSTILE)
                self.assertEqual(self.browser.run("return [document.querySelectorAll('img').length, document.title]"), [0, "relud"])
                self.quiet()

    def test_a_key_is_asked_for_and_kept_in_the_tab(self):
        with tempfile.NamedTemporaryFile("w") as keys:
            keys.write("admin all-of-it\nmetrics only-numbers\ninfer only-answers\n")
            keys.flush()
            with Relud("--api-keys", keys.name, DIGITS) as relud:
                self.visit(relud)
                asks = "return document.getElementById('key-dialog').open && document.getElementById('key-sentence').textContent"
                sentence = self.browser.wait("a key is asked for", asks)
                self.assertIn("Authorization: Bearer KEY", sentence)
                self.browser.type("#key", "wrong\n")
                self.browser.wait("it is asked for again", asks + " && document.getElementById('key').value === ''")
                time.sleep(2.5)  # no poll is due any more
                self.browser.run("document.getElementById('key-dialog').close()")  # as the second Escape does
                self.browser.wait("it is asked for again", asks)
                self.browser.type("#key", "no–key\n")
                self.assertTrue(self.browser.run(asks), "no header can carry it")
                self.browser.run("document.getElementById('key').value = ''")
                self.browser.type("#key", "all-of-it\n")
                self.browser.wait("the grids are drawn", DRAWN, 0, 2)
                kept = self.browser.run("return [sessionStorage.getItem('relud-key'), JSON.stringify(localStorage), document.cookie, location.href]")
                self.assertEqual(kept[0], "all-of-it")
                self.assertNotIn("all-of-it", "".join(kept[1:]))
                self.expect_layers(relud.stats(key="all-of-it"))
                self.browser.click("#forget-key")
                self.browser.wait("a key is asked for", asks)
                self.browser.type("#key", "only-numbers\n")
                self.browser.wait("a key for numbers shows them", DRAWN, 0, 2)
                self.browser.wait("and says what is missing", "return document.getElementById('refused').textContent === '/models takes a key of another scope'")
                self.browser.click("#forget-key")
                self.browser.wait("a key is asked for", asks)
                self.browser.type("#key", "only-answers\n")
                self.browser.wait("a key for answers takes an example", "return !document.getElementById('try').hidden && document.getElementById('refused').textContent.includes('/stats takes a key')")
                self.browser.run("sessionStorage.clear()")

    def test_a_server_that_goes_and_comes_back(self):
        relud = Relud(DIGITS)
        try:
            relud.infer_digits("digits")
            self.visit_digits(relud)
            self.quiet()
            relud.stop()
            self.browser.wait("it is said", "return !document.getElementById('unreachable').hidden")
            self.assertIn("not reachable", self.browser.text("#unreachable"))
            self.assertEqual(self.value("#samples"), "1797")
            relud = Relud(DIGITS, port=relud.port)
            self.browser.wait("it is back", "return document.getElementById('unreachable').hidden && document.getElementById('samples').dataset.value === '0'")
            self.browser.wait("the grids are drawn anew", DRAWN, 0, 2)
            complaints = [text for text in self.browser.complaints() if "ERR_CONNECTION_REFUSED" not in text]
            self.assertEqual(complaints, [])
        finally:
            relud.stop()

    def test_nobody_looks_nothing_is_asked(self):
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            first = self.browser.call("GET", "/window")
            other = self.browser.call("POST", "/window/new", {"type": "tab"})["handle"]
            self.browser.call("POST", "/window", {"handle": other})
            time.sleep(1)
            before = relud.requests()
            time.sleep(5)
            hidden = relud.requests() - before
            self.browser.call("DELETE", "/window")
            self.browser.call("POST", "/window", {"handle": first})
            self.assertEqual(hidden, 1, "only the question itself")
            before = relud.requests()
            time.sleep(5)
            self.assertGreater(relud.requests() - before, 4)

    # Sizes

    def expect_no_overflow(self, width):
        wide = self.browser.run("""return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > arguments[0] + 1
            && !one.closest('[hidden]') && one.getClientRects().length).map((one) => one.tagName + '.' + one.className).slice(0, 5)""", width)
        self.assertEqual(wide, [])
        self.assertLessEqual(self.browser.run("return document.documentElement.scrollWidth"), width)

    def test_a_phone_needs_no_sideways_scrolling(self):
        name = "a-rather-long-name-of-a-model-" * 4
        with Relud("--model-name", name, DIGITS) as relud:
            relud.infer_digits(name)
            self.browser.size(360, 740)
            self.visit(relud)
            self.browser.wait("the layers are there", "return document.querySelectorAll('.layer').length === 2")
            self.expect_no_overflow(360)
            self.browser.click("#try summary")
            self.draw()
            self.browser.click("#infer")
            self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
            self.browser.run("document.querySelector('[data-layer=fc1] .sheet').scrollIntoView()")
            self.browser.wait("the grid is drawn", "return document.querySelector('[data-layer=fc1] canvas').dataset.drawn === '1798'")
            panel = self.open_unit("fc1", 17, 128)
            self.expect_unit(panel, relud.stats()["layers"][0], 17)
            self.expect_no_overflow(360)
            self.quiet()

    def test_large_layers_are_drawn_where_they_are_seen(self):
        with tempfile.TemporaryDirectory() as directory:
            chain(f"{directory}/net.onnx", 4096, 50)
            with Relud(f"{directory}/net.onnx") as relud:
                relud.post(random_body(1000, 4096))
                began = time.monotonic()
                self.visit(relud)
                self.browser.wait("the first grid is drawn", DRAWN, 1000, 1)
                took = time.monotonic() - began
                self.browser.click("#expand")
                last = ".layer:last-child"
                self.browser.run("document.querySelector(arguments[0]).scrollIntoView()", last)
                self.browser.wait("the last grid is drawn", "return document.querySelector(arguments[0]).dataset.drawn === '1000'", f"{last} .sheet canvas")
                alive = self.browser.run("return [...document.querySelectorAll('.sheet canvas')].filter((canvas) => canvas.width > 0).length")
                self.assertLess(alive, 10)
                layer = relud.stats()["layers"][49]
                panel = self.open_unit(layer["name"], 2000, 4096)
                self.expect_unit(panel, layer, 2000)
                self.assertLess(took, 20)
                print(f"50 layers of 4096 units: the first grid after {took:.1f} s", file=sys.stderr)
                self.quiet()

    def test_themes(self):
        background = "return getComputedStyle(document.body).backgroundColor"
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            light = self.browser.run(background)
            self.browser.size(1440, 1000, dark=True)
            dark = self.browser.wait("the system's theme is followed", "const now = getComputedStyle(document.body).backgroundColor; return now !== arguments[0] && now", light)
            self.browser.click("#theme")  # auto -> light
            self.assertEqual(self.browser.run(background), light)
            self.browser.size(1440, 1000)
            self.browser.click("#theme")  # light -> dark
            self.assertEqual(self.browser.run(background), dark)
            self.browser.click("#theme")  # dark -> auto
            self.assertEqual(self.browser.run(background), light)
            self.quiet()

    # Metrics

    def test_quantiles_are_prometheus_own(self):
        """The worked cases: inside a bucket, in the first, beyond the last bound, nothing."""
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            script = "return import('/web/metrics.js').then(({ quantile }) => quantile(arguments[0], arguments[1].map(([bound, n]) => [bound ?? Infinity, n])))"
            buckets = [[1, 10], [2, 30], [4, 40], [None, 40]]
            for q, counted, wanted in ((0.5, buckets, 1.5), (0.1, buckets, 0.4), (0.99, buckets, 3.92), (0.9, [[1, 0], [2, 5], [None, 10]], 2),
                                       (0.5, [[1, 0], [None, 0]], None), (0.5, [], None)):
                got = self.browser.run(script, q, counted)
                self.assertTrue(got == wanted or abs(got - wanted) < 1e-12, (q, counted, got))

    def test_requests_show_as_rate_and_latency(self):
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            body = '{"inputs":[' + ",".join("5" * 64) + "]}"
            for _ in range(40):
                relud.post(body)
                time.sleep(0.05)
            self.browser.wait("there is a rate", "return Number(document.querySelector('#trend-requests b').dataset.value) > 1")
            p50, p99 = (float(self.value(f"#trend-latency [data-line={line}]")) for line in ("p50", "p99"))
            self.assertTrue(0 < p50 <= p99 < 10, (p50, p99))
            self.assertEqual(float(self.value("#trend-batch b")), 1)
            self.quiet()
