"""What every page has to be: closed elements, no handlers, a policy, nothing from outside."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser


class Balance(HTMLParser):
    """Raises on an element that is not closed; remembers scripts and the policy."""

    VOID = frozenset({"meta", "br", "image"})

    def __init__(self):
        super().__init__()
        self.open, self.scripts, self.policy = [], [], None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = attrs["content"]
        if tag == "script":
            self.scripts.append((attrs, ""))
        assert not any(name.startswith("on") for name in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def check_sheet(text):
    """Return what a page draws, after a look at what it may run and load."""
    parser = Balance()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    page = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?:|<(link|iframe|img)\b|@import|\burl\(", page)
    assert "default-src 'none'" in parser.policy
    running = [text for attrs, text in parser.scripts if "type" not in attrs]
    for script in running:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in parser.policy
    assert len(running) == 1
    (scene,) = [json.loads(text) for attrs, text in parser.scripts if attrs.get("id") == "scene"]
    for name in scene["charts"]:
        assert f'data-chart="{name}"' in page
    return scene
