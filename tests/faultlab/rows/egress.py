"""Something in the VM wants to reach the outside, and does not. The VM as such is well: told beside the verdict."""
from lab.outside import answers, says_to_hello, serves
from lab.row import SEEN, Between, Like, Row, Script

ONCE = {"essential": False, "restart": "never"}
SITE = "<word:site>.test"
LOOPBACK = {"networks": ["127.0.0.1/32"], "hosts": {SITE: "127.0.0.1"}}
NO_PROXY_PASSWORD = ("HTTP/1.1 407 Proxy Authentication Required", "Content-Length: 0", "Connection: close")
FETCH = "busybox wget -q -O /dev/null http://{}; exec sleep 100000"
# A record of a TLS handshake, as far as anybody on the way looks; then what a client does that is refused: it leaves.
HELLO = r"(printf '\026\003\001\000\005hello'; sleep 2) | socat -t 5 - PROXY:127.0.0.1:{}:{},proxyport=3128; exec sleep 100000"
TUNNEL = "socat -t 5 - PROXY:127.0.0.1:{}:{},proxyport=3128 </dev/null; exec sleep 100000"
ALERT_HANDSHAKE_FAILURE = b"\x15\x03\x03\x00\x02\x02\x28"


def asks(name, what, code, script, policy, fields, **more):
    """A service asks through the proxy in its VM."""
    return Row(name, what, code, fields=fields, place="also", services={"<victim>": {"exec": Script(script), **ONCE}}, vm={"egress": policy}, **more)


def upstream(name, what, script, **more):
    return asks(name, what, "egress.upstream_refused", script, {"mode": "upstream", "upstream": {"proxy": "127.0.0.1:<port:proxy>"}}, {"status": 407},
                at_created=serves("proxy", answers(*NO_PROXY_PASSWORD)), **more)


ROWS = [
    upstream("upstream-refuses", "the upstream proxy refuses a tunnel", TUNNEL.format(SITE, 443), evidence=(Like(f"was asked for {SITE}:443 and answered 407"),), ci=True),
    upstream("upstream-refuses-a-page", "the upstream proxy refuses a plain request", FETCH.format(SITE + "/"), evidence=(Like(f"was asked for {SITE}:80"),)),
    asks("name-not-resolved", "a name cannot be resolved", "egress.dns_failed", FETCH.format("<word:site>.invalid/"), {"allow": ["<word:site>.invalid:*"]},
         {"host": "<word:site>.invalid"}, evidence=(Like("."),), ci=True),
    asks("not-allowed", "the policy does not name the host", "egress.denied", FETCH.format("<word:other>.test/"), {"allow": [SITE]},
         {"host": "<word:other>.test:80"}, evidence=(Like("no rule of the policy"),), ci=True),
    asks("port-not-allowed-outside", "the policy names the host, and not the port", "egress.denied", FETCH.format(SITE + ":<port:site>/"), {"allow": [SITE + ":443"]},
         {"host": SITE + ":<port:site>"}, evidence=(Like("no rule of the policy"),)),
    asks("leads-to-metadata", "an allowed name leads to the address of a cloud's metadata", "egress.denied", FETCH.format(SITE + "/"),
         {"allow": [SITE], "hosts": {SITE: "169.254.169.254"}}, {"host": SITE + ":80"}, evidence=(Like("169.254.169.254 is link-local"),)),
    asks("nobody-listens-outside", "nothing listens where an allowed name leads", "egress.connect_failed", FETCH.format(SITE + ":<port:site>/"),
         {"allow": [SITE + ":*"], **LOOPBACK}, {"host": SITE + ":<port:site>", "reason": Like("refused")}, ci=True, no_evidence=SEEN),
    asks("tls-alert", "the other side ends the TLS handshake with an alert", "egress.tls_failed", HELLO.format(SITE, "<port:site>"),
         {"allow": [SITE + ":*"], **LOOPBACK}, {"host": SITE + ":<port:site>"}, evidence=(Like("server ended the handshake with alert 40"),),
         at_created=serves("site", says_to_hello(ALERT_HANDSHAKE_FAILURE)), later_s=2),
    asks("tls-answered-in-plain", "the other side answers a TLS handshake with plain text", "egress.tls_failed", HELLO.format(SITE, "<port:site>"),
         {"allow": [SITE + ":*"], **LOOPBACK}, {"host": SITE + ":<port:site>"}, evidence=(Like("does not speak TLS"),),
         at_created=serves("site", says_to_hello(b"HTTP/1.1 400 Bad Request\r\n\r\n")), later_s=2),
    Row("dies-of-a-refusal", "a service ends because it is not let out", "service.exited", "victim", fields={"code": Between(1, 1)}, evidence=(Like("403"),),
        services={"<victim>": {"exec": Script("exec busybox wget -O /dev/null http://<word:other>.test/"), **ONCE}}, vm={"egress": {"allow": [SITE]}}),
]
