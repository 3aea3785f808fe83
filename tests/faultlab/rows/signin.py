"""A user is to be signed in to a coding CLI inside the VM, and the CLI does not do its part. The VM as such is well: told beside the verdict."""
from lab.row import Like, Row

URL = ("https://auth.openai.com/oauth/authorize?client_id=<word:client>&response_type=code&redirect_uri=http://localhost:1455/auth/callback"
       "&state=<word:state>&code_challenge=<word:challenge>")
FILE = "umask 077; mkdir -p $HOME/{0}; printf %s {2} >$HOME/{0}/{1}; "


def signs_in(provider):
    """at_ready: a user's session with this provider, in this row's VM."""
    def begin(scene):
        scene.now()
        scene.lab.daemon.api.post("/v1/sessions", {"provider": provider, "user": scene.word("user"), "guest_user": "root", "browser_vm": scene.vm["name"]})
    return begin


def script_file(text):
    """It answers to --version like a CLI, and does the rest as told."""
    text = f"#!/bin/sh\ncase $1 in --version) echo <word:name> 1.2.3; exit 0;; esac\n{text}\n"
    return lambda scene: scene.fill(text).replace("@stamp", scene.stamp()), 0o755


# The VM is ready when the CLI is there.
WAITS = {"services": {"<shell>": {"exec": ["/bin/sleep", "100000"]}}}


def cli(name, what, code, provider, command, script, since="stamp", **more):
    """The provider's CLI is a script."""
    return Row(name, what, code, place="also", files={"/usr/bin/" + command: script_file("@stamp\n" + script)}, **WAITS, at_ready=signs_in(provider), since=since, **more)


ROWS = [
    cli("sign-in-tool-exits", "the command-line tool ends during a sign-in", "signin.cli_exited", "codex", "codex", "echo '<word:reason>' >&2; exit 7",
        evidence=(Like("sign-in to codex"), Like("code 7")), ci=True),
    cli("sign-in-tool-killed", "the command-line tool is killed while its user signs in", "signin.cli_exited", "codex", "codex", f"echo '{URL}'; sleep 3; @stamp kill -9 $$",
        evidence=(Like("KILL|signal 9"),)),
    cli("sign-in-address-absent", "no sign-in address is seen", "signin.url_not_found", "claude_code", "claude",
        "echo 'https://<word:other>.test/oauth/authorize?state=<word:state>'; exec sleep 1000", later_s=200, limit_s=280, evidence=(Like("sign-in to claude_code"),)),
    cli("credential-of-unknown-shape", "a credential file of an unknown shape", "signin.credential_unknown_shape", "gemini_cli", "gemini",
        FILE.format(".gemini", "oauth_creds.json", "'{\"<word:key>\":\"x\"}'") + "@stamp exec sleep 1000", fields={"fields": Like("access_token")}, later_s=30, limit_s=120, ci=True,
            evidence=(Like("sign-in to gemini_cli"),)),
    cli("credential-cut-off", "a credential file that ends in the middle", "signin.credential_unknown_shape", "codex", "codex",
        f"echo '{URL}'; " + FILE.format(".codex", "auth.json", "'{\"tokens\":{\"id_token\":\"'") + "@stamp exit 1", evidence=(Like("truncated|cut off|ends"),)),
]
