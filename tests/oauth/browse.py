#!/usr/bin/env python3
"""Follows a sign-in page as a browser does, where there is none: opens the address, fills the page's own form, goes where it is sent, with a cookie jar.

browse.py ADDRESS NAME=VALUE...   The proxy and the authorities are the environment's. Prints where it went, without queries, and ends with 0 when the last page is a 200.
"""
import html.parser
import http.cookiejar
import sys
import urllib.error
import urllib.parse
import urllib.request


class Form(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.action, self.method, self.fields = None, "get", {}

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.method = given.get("action", ""), given.get("method", "get").lower()
        elif tag == "input" and "name" in given and self.action is not None:
            self.fields[given["name"]] = given.get("value", "")


def plain(address):
    return urllib.parse.urlunsplit(urllib.parse.urlsplit(address)._replace(query="", fragment=""))


class Told(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, address):
        print(f"{code} -> {plain(address)}", flush=True)
        return super().redirect_request(request, file, code, message, headers, address)


def browse(address, answers):
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), Told())
    with browser.open(address, timeout=120) as page:
        form = Form()
        form.feed(page.read().decode())
        where = page.geturl()
    if form.action is None or form.method != "post" or not set(answers) <= set(form.fields):
        raise SystemExit(f"{plain(where)} has no form with {', '.join(sorted(answers))}")
    data = urllib.parse.urlencode({**form.fields, **answers}).encode()
    with browser.open(urllib.parse.urljoin(where, form.action), data, timeout=120) as page:
        print(f"{page.status} at {plain(page.geturl())}", flush=True)
        return page.status


if __name__ == "__main__":
    try:
        sys.exit(browse(sys.argv[1], dict(word.split("=", 1) for word in sys.argv[2:])) != 200)
    except urllib.error.HTTPError as refused:
        sys.exit(f"{refused.code} at {plain(refused.url)}: {refused.read(300).decode('utf-8', 'replace')}")
