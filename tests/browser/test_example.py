"""An example on the page, drawn or written: what is posted, and what is shown of the answer."""
import json
import tempfile

from page import CELLS, DIGITS, PageTest
from relud import Relud, addition, chain, random_body


class Example(PageTest):
    def test_a_drawn_digit_lights_the_units_it_activates(self):
        with Relud(DIGITS) as relud:
            relud.infer_digits("digits")
            self.visit_digits(relud)
            self.draw()
            self.browser.click("#infer")
            self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
            body = self.posted()
            reply = relud.post(body)
            pixels = json.loads(body)["inputs"][0]
            self.assertTrue(len(pixels) == 64 and min(pixels) == 0 and max(pixels) == 16 and sum(pixels) > 100, pixels)
            for layer in reply["stats"]["layers"]:
                lit = [unit for unit, pixel in enumerate(self.browser.run(CELLS, layer["name"], layer["units"])) if pixel[3] > 200]
                self.assertEqual(lit, layer["active_units"][0])
                self.assertEqual(self.value(f"[data-layer={layer['name']}] .lit"), str(layer["active"][0]))
            shown = self.browser.run("return [...document.querySelectorAll('#outputs li')].map((one) => Number(one.dataset.value))")
            self.assertEqual(shown, reply["outputs"][0])
            self.assertEqual(self.browser.text("#label"), reply["labels"][0])
            self.browser.click("#unlight")
            opaque = [pixel for pixel in self.browser.run(CELLS, "fc1", 128) if pixel[3] > 200]
            self.assertEqual(len(opaque), 128)
            self.quiet()

    def test_the_pad_takes_keys(self):
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            self.browser.type("#pad", "\ue012 ")  # the left arrow, space
            self.browser.click("#infer")
            self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
            pixels = json.loads(self.posted())["inputs"][0]
            self.assertEqual([(i, pixel) for i, pixel in enumerate(pixels) if pixel], [(4 * 8 + 3, 16)])

    def test_a_refusal_is_the_servers_own_sentence(self):
        with Relud(DIGITS) as relud:
            self.visit_digits(relud, rows=0)
            self.browser.run("document.querySelector('#mode input[value=write]').click()")
            for text, inputs in (("1, 2 3", "[1,2,3]"), ("[[1, ", "[[1,"), ("1 two 3", "[1,two,3]")):
                self.browser.run("document.getElementById('numbers').value = ''")
                self.browser.type("#numbers", text)
                self.browser.click("#infer")
                sentence = relud.post(f'{{"stats":"units","inputs":{inputs}}}')["error"]
                self.browser.wait(sentence, "return document.getElementById('refusal').textContent === arguments[0] && !document.getElementById('refusal').hidden", sentence)
            complaints = self.browser.complaints()  # of the three refusals, by Chromium itself
            self.assertTrue(len(complaints) == 3 and all("status of 400" in text for text in complaints), complaints)

    def test_any_model_takes_a_random_example(self):
        with tempfile.TemporaryDirectory() as directory:
            chain(f"{directory}/net.onnx", 30, 2, ("Relu", "LeakyRelu"))
            with Relud(f"{directory}/net.onnx") as relud:
                relud.post(random_body(1500, 30))
                self.visit_digits(relud, rows=1500)
                self.assertTrue(self.browser.run("return document.getElementById('drawing').hidden"))
                self.browser.click("#random")
                self.browser.click("#infer")
                self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
                reply = relud.post(self.posted())
                for layer in reply["stats"]["layers"]:
                    self.assertEqual(self.value(f"[data-layer={layer['name']}] .lit"), str(layer["active"][0]))
                self.expect_layers(relud.stats())
                self.quiet()

    def test_a_model_of_two_inputs_without_a_counted_layer(self):
        with tempfile.TemporaryDirectory() as directory:
            addition(f"{directory}/net.onnx")
            with Relud(f"{directory}/net.onnx") as relud:
                self.visit(relud)
                self.browser.wait("it is said", "return document.getElementById('layers').textContent === 'This model has no layer that is counted.'")
                self.browser.click("#random")
                self.browser.click("#infer")
                self.browser.wait("there is an answer", "return !document.getElementById('outcome').hidden")
                inputs = json.loads(self.posted())["inputs"]
                shown = self.browser.run("return [...document.querySelectorAll('#outputs li')].map((one) => Number(one.dataset.value))")
                for left, right, y in zip(inputs["left"][0], inputs["right"][0], shown, strict=True):
                    self.assertAlmostEqual(left + right, y, 5)
                self.quiet()
