"""People on a running stack: they sign in at the portal as at a browser, and have it give them tokens of their own."""

from __future__ import annotations

import re

import httpx

from onex.demo.http import COME_BACK, REQUEST_SECONDS, Addresses, Speaker

CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')


class Person(Speaker):
    """Somebody who was registered in the portal, and knows the password."""

    def __init__(self, addresses: Addresses, name: str, password: str) -> None:
        super().__init__(addresses, name)
        self._password, self._csrf = password, ""
        self._cookies = httpx.Cookies()

    def _asked_for_token(self, audience: str) -> httpx.Response:
        place, kept = self.addresses.urls["portal"], self._cookies
        with httpx.Client(base_url=place, cookies=kept, timeout=REQUEST_SECONDS, trust_env=False) as browser:
            answer = self._exchanged(browser, audience)
            if answer.is_redirect:  # nobody is signed in, or not any more
                entered = self._signed_in(browser)
                answer = self._exchanged(browser, audience) if entered.is_success else entered
            self._cookies = browser.cookies
            return answer

    def _exchanged(self, browser: httpx.Client, audience: str) -> httpx.Response:
        return browser.post("/token", data={"audience": audience, "csrf_token": self._csrf})

    def _signed_in(self, browser: httpx.Client) -> httpx.Response:
        """What signing in is answered with; when name and password fit, a page whose forms carry the session's mark."""
        entered = browser.post("/sign-in", data={"name": self.client_id, "password": self._password})
        if not entered.is_redirect:
            return entered
        page = browser.get("/verify")
        if page.status_code not in COME_BACK:
            [self._csrf] = set(CSRF.findall(page.text))
        return page
