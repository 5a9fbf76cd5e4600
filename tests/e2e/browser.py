"""Chromium on one page of octet's, driven by playwright: opening it, what it asked the network for, what it says and shows."""
import contextlib
import os
import re
import shutil

# Debian's browser; PyPI's playwright drives it without one of its own.
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


@contextlib.contextmanager
def browser():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as play:
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        opened = play.chromium.launch(executable_path=CHROMIUM, args=[*flags, "--disable-dev-shm-usage"])
        yield opened
        opened.close()


def cpu_ms():
    """CPU time that the processes below this one have taken: the browser's. Other work on the machine does not add to it."""
    parents, times = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # gone meanwhile
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            parents[int(pid)], times[int(pid)] = int(fields[1]), int(fields[11]) + int(fields[12])

    def ours(pid):
        while pid in parents and pid != os.getpid():
            pid = parents[pid]
        return pid == os.getpid()
    return 1000 * sum(time for pid, time in times.items() if pid != os.getpid() and ours(pid)) / os.sysconf("SC_CLK_TCK")


class Page:
    """A report in a tab of its own. `errors`: what went to the console or was thrown; `requests`: what it asked for beside itself."""

    def __init__(self, opened, file, fragment="", scheme="light", width=1440, height=900, scale=1):
        file, self.errors, self.requests = file.resolve(), [], []
        self.context = opened.new_context(color_scheme=scheme, viewport={"width": width, "height": height}, device_scale_factor=scale)
        self.tab = self.context.new_page()
        self.tab.set_default_timeout(20000)
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", lambda message: self.errors.append(message.text) if message.type in ("error", "warning") else None)
        self.tab.on("request", lambda request: self.requests.append(request.url) if request.url.split("#")[0] != file.as_uri() else None)
        before = cpu_ms()
        self.tab.goto(file.as_uri() + fragment)
        self.tab.wait_for_selector(":root[data-ready]", state="attached")
        self.cpu_ms = cpu_ms() - before  # of all the browser's processes, until it was ready

    def ready_ms(self):
        """From the start of the navigation to the page's own mark."""
        return self.tab.evaluate("performance.getEntriesByName('octet-ready')[0].startTime")

    def text(self, selector):
        return self.tab.text_content(selector)

    def texts(self, selector):
        return self.tab.eval_on_selector_all(selector, "list => list.map((node) => node.textContent)")

    def count(self, selector):
        return self.tab.locator(selector).count()

    def click(self, selector):
        self.tab.locator(selector).first.click()

    def hash(self):
        return self.tab.evaluate("decodeURIComponent(location.hash)")

    def go(self, fragment):
        self.tab.evaluate("hash => { location.hash = hash; }", fragment)

    def close(self):
        self.context.close()


def number_in(text):
    """(value, half a unit of its last digit) of '1,234 ms', '−0.120', '12.3 MiB', '47 %'."""
    found = re.search(r"[+\-−]?[\d,]*\.?\d+", text)
    digits = found.group().replace(",", "").replace("−", "-")
    unit = text[found.end():].strip().split(" ")[0]
    scale = UNITS.get(unit, 1)
    places = len(digits.split(".")[1]) if "." in digits else 0
    return float(digits) * scale, 0.5 * 10.0 ** -places * scale


def says(text, value):
    """Whether the text shows this number, rounded as it shows it."""
    shown, half = number_in(text)
    return abs(shown - value) <= half * (1 + 1e-6) + 1e-12 * abs(value)
