"""The page in a real Chromium with scripts turned off: by keyboard, narrow, dark, nothing from elsewhere."""

import itertools

import pytest

from sftp_gateway.store import uploads
from sftp_gateway.upload import State
from tests import browser
from tests.web_scene import Scene, populate

pytestmark = pytest.mark.skipif(not browser.CHROMIUM.exists(), reason="Debian's chromium is not installed")

CONTRAST = """
(() => {
  const light = ([r, g, b]) => { const f = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const under = node => { for (; node; node = node.parentElement) {
    const c = parse(getComputedStyle(node).backgroundColor); if (c.length == 3 || c[3] > .99) return c; } return [255, 255, 255]; };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('.hidden, .skip, svg')) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(under(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim()}`);
  }
  return weak;
})()
"""


@pytest.fixture(scope="module")
def chromium():
    with browser.page() as tab:
        yield tab


@pytest.fixture
def tab(chromium):
    chromium.look()
    chromium("Network.clearBrowserCookies")
    return chromium


@pytest.fixture
def scene(sqlite_store, tmp_path):
    return Scene(sqlite_store, tmp_path)


@pytest.fixture
def site(scene):
    with scene.serve() as url:
        yield url


def sign_in(tab, url, secret):
    tab.open(url)
    tab.evaluate("document.querySelector('#token').focus()")
    tab.type(secret)
    tab.press("Enter", 13)
    tab.wait("!!document.querySelector('.who')")


def test_a_person_signs_in_looks_decides_and_leaves_by_keyboard_without_a_script(scene, site, tab):
    ids = populate(scene)
    sign_in(tab, f"{site}/", scene.token())
    assert "new-skus.csv of bolt waits for a decision" in tab.text()
    tab.submit(".note a")
    tab.wait("location.pathname.startsWith('/uploads/')")
    assert "did the SKUs change?" in tab.text()
    tab.submit("form[action$='/refuse'] button")
    tab.wait("document.body.innerText.includes('Refused, by ops')")
    assert uploads.get(scene.store, ids["held"]).state is State.REFUSED
    tab.submit("form[action='/logout'] button")
    tab.wait("!!document.querySelector('#token')")


def test_the_filter_is_a_plain_form(scene, site, tab):
    populate(scene)
    sign_in(tab, f"{site}/", scene.token())
    tab.evaluate("document.querySelector('#brand').value = 'bolt'")
    tab.submit(".filter button")
    tab.wait("location.search.includes('brand=bolt')")
    assert tab.evaluate("document.querySelectorAll('.history tbody tr').length") == 2
    assert tab.evaluate("document.querySelector('#brand').value") == "bolt"


def test_a_page_of_a_moving_upload_looks_again_by_itself(scene, site, tab):
    item = scene.receive()
    sign_in(tab, f"{site}/uploads/{item.id}", scene.token())
    assert "waits for its turn" in tab.text()
    scene.finish(item, State.PUBLISHED, rows={"read": 1, "accepted": 1})
    tab.wait("document.body.innerText.includes('1 of 1 row is live as version 1')")
    assert not tab.evaluate("!!document.querySelector('meta[http-equiv=refresh]')")


def test_every_page_fits_320_pixels_and_has_contrast_in_light_and_dark(scene, site, tab):
    ids = populate(scene)
    sign_in(tab, f"{site}/", scene.token())
    pages = ["/", "/?brand=acme&state=failed", "/nothing", *(f"/uploads/{number}?still" for number in ids.values())]
    for path, dark in itertools.product(pages, (False, True)):
        tab.look(width=320, height=700, dark=dark)
        tab.open(site + path)
        tab.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert tab.evaluate(CONTRAST) == [], (path, dark)
    for width in (768, 880, 960, 1024, 1100, 1152, 1153):
        tab.look(width=width, height=700)
        tab.open(f"{site}/")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, width
    tab.look()
    for path in pages:
        tab.open(site + path)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1280, path


def test_a_history_of_long_names_and_long_words_fits(scene, site, tab):
    def came(name, state, **told):
        item = scene.receive(path=f"inbox/{name}")
        endings = (".withheld.csv", ".corrections.csv")
        scene.finish(item, state, files={f"{name}.{item.id}{ending}": b"x" for ending in endings}, **told)

    came("catalog.csv", State.UNCHANGED, rows={"read": 9_400_000, "accepted": 9_399_988, "rejected": 12})
    changes = dict.fromkeys(("created", "updated", "removed"), 9_400_000)
    came(f"{'W' * 200}.csv", State.HELD, reasons=[{"code": "price_move", "text": "prices"}], changes=changes)
    sign_in(tab, f"{site}/", scene.token())
    for width in (320, 390, 768, 960, 1100, 1152, 1153, 1200, 1280):
        tab.look(width=width, height=700)
        tab.open(f"{site}/")
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, width
        assert tab.evaluate(
            "document.querySelector('.history').offsetWidth <= document.querySelector('.sheet').offsetWidth"
        ), width


def test_every_table_field_and_picture_says_what_it_is(scene, site, tab):
    ids = populate(scene)
    tab.open(site)
    assert tab.evaluate("document.querySelector('#token').labels.length") == 1
    sign_in(tab, f"{site}/", scene.token())
    for path in ("/", f"/uploads/{ids['published']}", f"/uploads/{ids['processing']}?still", f"/uploads/{ids['held']}"):
        tab.open(site + path)
        nameless = tab.evaluate("""[
            ...[...document.querySelectorAll('table')].filter(it => !it.caption),
            ...[...document.querySelectorAll('th')].filter(it => !it.scope),
            ...[...document.querySelectorAll('select, progress, input:not([type=hidden])')].filter(it => !it.labels.length),
            ...[...document.querySelectorAll('svg')].filter(it => it.getAttribute('aria-hidden') != 'true'),
            ...[...document.querySelectorAll('a, button')].filter(it => !it.textContent.trim()),
        ].map(it => it.outerHTML)""")
        assert nameless == [], path
        assert tab.evaluate("document.querySelectorAll('h1').length") == 1
        assert tab.evaluate("document.documentElement.lang") == "en"
        ids_of_page = tab.evaluate("[...document.querySelectorAll('[id]')].map(it => it.id)")
        assert len(ids_of_page) == len(set(ids_of_page)), path


def test_focus_is_seen_and_the_first_tab_skips_to_the_content(scene, site, tab):
    populate(scene)
    sign_in(tab, f"{site}/", scene.token())
    tab.open(f"{site}/?state=")
    tab.press("Tab", 9)
    assert tab.evaluate("document.activeElement.className") == "skip"
    assert tab.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    for _ in range(6):
        tab.press("Tab", 9)
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_a_page_needs_three_requests_and_none_elsewhere(scene, site, tab):
    populate(scene)
    sign_in(tab, f"{site}/", scene.token())
    tab.open(f"{site}/?again")
    loaded = tab.evaluate("performance.getEntriesByType('resource').map(it => it.name)")
    assert len(loaded) <= 2
    assert all(name.startswith(f"{site}/static/") for name in loaded), loaded


def test_a_script_in_a_file_name_stays_a_file_name(scene, site, tab):
    evil = "<img src=x onerror='document.title=1'>.csv"
    item = scene.finish(scene.receive(path=f"inbox/{evil}"), State.REFUSED, reasons=[{"code": "X", "text": evil}])
    sign_in(tab, f"{site}/", scene.token())
    tab.look(script=True)
    tab.open(f"{site}/uploads/{item.id}")
    assert tab.evaluate("document.images.length") == 0
    assert tab.evaluate("document.querySelector('h1').textContent") == evil
    assert tab.evaluate("document.title").endswith("SFTP gateway")
