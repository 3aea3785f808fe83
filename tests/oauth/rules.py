"""What an OAuth 2.0 provider for native programs (RFC 8252, RFC 7636) lets pass, without a socket: the code flow with PKCE S256, strict in everything.

Refused is raised with the error of RFC 6749 and the reason in words.
"""
import base64
import dataclasses
import hashlib
import hmac
import json
import re
import secrets
import time

CODE_LIVES_S, TOKEN_LIVES_S = 120, 3600
TEXT = re.compile(r"[A-Za-z0-9._~-]{43,128}")   # of a verifier; a challenge is 43 of it


class Refused(Exception):
    def __init__(self, error, reason, status=400):
        super().__init__(f"{error}: {reason}")
        self.error, self.reason, self.status = error, reason, status


@dataclasses.dataclass
class Account:
    user: str
    password: str


@dataclasses.dataclass
class Asked:
    """An authorisation request that was let pass."""
    client: str
    redirect: str
    state: str
    challenge: str
    scopes: frozenset
    browser: str        # the cookie of the browser that got the form


@dataclasses.dataclass
class Code:
    asked: Asked
    expires: float
    used: bool = False
    tokens: tuple = ()


def one(fields, name, error="invalid_request"):
    """A parameter that is there once."""
    values = fields.get(name, [])
    if len(values) != 1 or not values[0]:
        raise Refused(error, f"{name}: {'missing' if not values or not values[0] else 'given twice'}")
    return values[0]


def s256(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def same(one_text, other):
    return hmac.compare_digest(one_text.encode(), other.encode())


class Rules:
    def __init__(self, issuer, client, redirects, account, clock=time.time):
        self.issuer, self.client, self.redirects, self.account, self.clock = issuer, client, set(redirects), account, clock
        self.key = secrets.token_bytes(32)
        self.forms, self.codes, self.refreshable, self.revoked, self.issued = {}, {}, {}, set(), []

    # ---- the page ----

    def ask(self, query):
        """The authorisation request: (form id, what was asked), or Refused. Nothing is ever redirected that was not let pass whole."""
        if one(query, "client_id") != self.client:
            raise Refused("unauthorized_client", "client_id: not known here")
        redirect = one(query, "redirect_uri")
        if redirect not in self.redirects:
            raise Refused("invalid_request", "redirect_uri: not one that is registered")
        if one(query, "response_type") != "code":
            raise Refused("unsupported_response_type", "response_type: code is the only one")
        if one(query, "code_challenge_method") != "S256":
            raise Refused("invalid_request", "code_challenge_method: S256 is the only one")
        challenge = one(query, "code_challenge")
        if len(challenge) != 43 or not TEXT.fullmatch(challenge):
            raise Refused("invalid_request", "code_challenge: not a SHA-256 in base64url")
        state = one(query, "state")
        if len(state) < 16:
            raise Refused("invalid_request", "state: too short to be a secret")
        scopes = frozenset(one(query, "scope").split())
        if not {"openid", "offline_access"} <= scopes:
            raise Refused("invalid_scope", "scope: openid and offline_access are wanted")
        form = secrets.token_urlsafe(24)
        self.forms[form] = Asked(self.client, redirect, state, challenge, scopes, secrets.token_urlsafe(24))
        return form, self.forms[form]

    def log_in(self, fields, cookie):
        """The form that came back: (redirect, code, state). A form is good once."""
        asked = self.forms.get(one(fields, "form"))
        if asked is None:
            raise Refused("invalid_request", "form: unknown, or sent before")
        if cookie is None or not same(cookie, asked.browser):
            raise Refused("access_denied", "the form was given to another browser", 403)
        if not same(one(fields, "state"), asked.state):
            raise Refused("invalid_request", "state: not the one that was asked with")
        if not (same(one(fields, "username"), self.account.user) and same(one(fields, "password"), self.account.password)):
            raise Refused("access_denied", "no such account, or another password", 403)
        del self.forms[one(fields, "form")]
        code = secrets.token_urlsafe(32)
        self.codes[code] = Code(asked, self.clock() + CODE_LIVES_S)
        return asked.redirect, code, asked.state

    # ---- tokens ----

    def redeem(self, fields):
        kind = one(fields, "grant_type")
        if kind == "authorization_code":
            return self.redeem_code(fields)
        if kind == "refresh_token":
            return self.refresh(fields)
        raise Refused("unsupported_grant_type", "grant_type: " + kind)

    def redeem_code(self, fields):
        code = self.codes.get(one(fields, "code"))
        if code is None:
            raise Refused("invalid_grant", "code: unknown")
        if code.used:
            self.revoked.update(code.tokens)    # somebody else has it: what he got is worth nothing any more (RFC 6749, 4.1.2)
            raise Refused("invalid_grant", "code: used before; its tokens are revoked")
        if self.clock() > code.expires:
            raise Refused("invalid_grant", "code: too old")
        if one(fields, "client_id") != code.asked.client:
            raise Refused("invalid_grant", "client_id: the code is another's")
        if one(fields, "redirect_uri") != code.asked.redirect:
            raise Refused("invalid_grant", "redirect_uri: not the one that was asked with")
        verifier = one(fields, "code_verifier", "invalid_grant")
        if not TEXT.fullmatch(verifier) or not same(s256(verifier), code.asked.challenge):
            raise Refused("invalid_grant", "code_verifier: does not fit the challenge")
        code.used = True
        answer = self.issue(code.asked)
        code.tokens = (answer["access_token"], answer["refresh_token"])
        return answer

    def refresh(self, fields):
        token = one(fields, "refresh_token")
        asked = None if token in self.revoked else self.refreshable.pop(token, None)
        if asked is None or one(fields, "client_id") != asked.client:
            raise Refused("invalid_grant", "refresh_token: unknown, used or revoked")
        return self.issue(asked)

    def issue(self, asked):
        now = int(self.clock())
        account = {"chatgpt_account_id": secrets.token_hex(8), "chatgpt_user_id": "user-" + secrets.token_hex(4), "chatgpt_plan_type": "plus"}
        common = {"iss": self.issuer, "iat": now, "exp": now + TOKEN_LIVES_S, "sub": account["chatgpt_user_id"], "https://api.openai.com/auth": account}
        answer = {"id_token": self.jwt({**common, "aud": [asked.client], "email": self.account.user, "email_verified": True, "jti": secrets.token_hex(8)}),
                  "access_token": self.jwt({**common, "aud": [self.issuer + "/api"], "scp": sorted(asked.scopes), "jti": secrets.token_hex(16)}),
                  "refresh_token": "rt_" + secrets.token_urlsafe(48), "token_type": "Bearer", "expires_in": TOKEN_LIVES_S, "scope": " ".join(sorted(asked.scopes))}
        self.refreshable[answer["refresh_token"]] = asked
        self.issued += [answer["id_token"], answer["access_token"], answer["refresh_token"]]
        return answer

    def jwt(self, claims):
        words = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
        words.append(base64.urlsafe_b64encode(hmac.new(self.key, b".".join(words), "sha256").digest()).rstrip(b"="))
        return b".".join(words).decode()
