"""A person at the terminal: signs in at the portal as at a browser, and has it give tokens in the person's own name."""

from __future__ import annotations

import httpx

from onex.demo.driver import addresses_of
from onex.demo.http import COME_BACK, REQUEST_SECONDS, Addresses, Speaker
from onex.demo.trouble import Answered
from onex.stack.addresses import Running
from onex.stack.trouble import Trouble

SIGN_IN_FAILED = "{name} is not signed in: {status} from the portal. Check name and password."


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
        """The answer to name and password, or, when they fit, what the session's forms carry."""
        entered = browser.post("/sign-in", data={"name": self.client_id, "password": self._password})
        if not entered.is_redirect:
            return entered
        shown = browser.get("/token")
        if shown.status_code not in COME_BACK:
            self._csrf = shown.json()["csrf_token"]
        return shown


def token_of(running: Running, name: str, password: str, service: str) -> str:
    """A token for one service in a person's own name; `Trouble` when the portal gives none."""
    addresses = addresses_of(running)
    try:
        return Person(addresses, name, password).token(service)
    except Answered as refused:
        raise Trouble(SIGN_IN_FAILED.format(name=name, status=refused.status)) from refused
    except httpx.TransportError as error:
        raise Trouble(f"The portal does not answer ({type(error).__name__}). Is the stack up?") from error
    finally:
        addresses.close()
