import http.server
import json
import os
import re
import subprocess
import sys
import threading

from playwright.sync_api import sync_playwright

BASE, CLIENT, ORIGIN, API, SHOTS, CHROMIUM, *MAIL = sys.argv[1:]
EMAIL, PASSWORD = "vera@example.com", "secret-of-vera"

# The application: a page that signs in with a code and PKCE, and calls the API with its token.
PAGE = """<!doctype html><meta charset="utf-8"><title>Application</title><pre id="out">ready</pre><script>
const base = %s, client = %s, api = %s, callback = location.origin + "/callback";
const out = document.getElementById("out");
const url64 = bytes => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=/g, "");
async function begin() {
  const verifier = url64(crypto.getRandomValues(new Uint8Array(32)));
  const state = url64(crypto.getRandomValues(new Uint8Array(16)));
  sessionStorage.setItem("verifier", verifier);
  sessionStorage.setItem("state", state);
  const challenge = url64(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  location = base + "/oauth2/authorize?" + new URLSearchParams({ response_type: "code", client_id: client,
    redirect_uri: callback, scope: "openid email orders/read", state, code_challenge_method: "S256", code_challenge: challenge });
}
async function finish() {
  const query = new URLSearchParams(location.search);
  if (query.get("state") !== sessionStorage.getItem("state")) throw "foreign state";
  const answer = await fetch(base + "/oauth2/token", { method: "POST", body: new URLSearchParams({
    grant_type: "authorization_code", client_id: client, redirect_uri: callback, code: query.get("code"),
    code_verifier: sessionStorage.getItem("verifier") }) });
  const tokens = await answer.json();
  if (!answer.ok) throw JSON.stringify(tokens);
  const me = await (await fetch(base + "/oauth2/userInfo", { headers: { authorization: "Bearer " + tokens.access_token } })).json();
  const called = await fetch(api + "/protected", { headers: { authorization: tokens.id_token } });
  const refused = await fetch(api + "/protected").catch(error => ({ status: String(error) }));
  out.textContent = JSON.stringify({ email: me.email, status: called.status, body: await called.text(), refused: refused.status });
}
if (location.pathname === "/callback" && location.search) finish().catch(error => out.textContent = "failed: " + error);
</script>""" % (json.dumps(BASE), json.dumps(CLIENT), json.dumps(API.rstrip("/")))


class Application(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(PAGE.encode())

    def log_message(self, *_):
        pass


def mailed_code():
    messages = json.loads(subprocess.run(MAIL, check=True, capture_output=True, text=True).stdout)
    return re.search(r"\d{6}", messages[-1]["body"]).group(0)


def main():
    server = http.server.ThreadingHTTPServer(("localhost", int(ORIGIN.rsplit(":", 1)[1])), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        # Without a user of its own the browser has no sandbox; it sees nothing but these pages.
        browser = playwright.chromium.launch(executable_path=f"{CHROMIUM}/chromium", args=["--no-sandbox"],
                                             env={**os.environ, "LD_LIBRARY_PATH": f"{CHROMIUM}/lib"})
        context = browser.new_context(viewport={"width": 1000, "height": 760})
        page = context.new_page()
        broken = []
        page.on("console", lambda message: message.type == "error" and broken.append(message.text))

        def shot(name):
            page.screenshot(path=f"{SHOTS}/{name}.png")
            page.set_viewport_size({"width": 375, "height": 720})
            page.emulate_media(color_scheme="dark")
            page.screenshot(path=f"{SHOTS}/{name}-dark-phone.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= 375, f"{name} is wider than a phone"
            page.set_viewport_size({"width": 1000, "height": 760})
            page.emulate_media(color_scheme="light")

        page.goto(ORIGIN)
        page.evaluate("begin()")
        page.wait_for_selector("text=Create an account")
        assert page.evaluate("getComputedStyle(document.querySelector('main')).borderRadius") == "14px", "the style does not apply"
        shot("sign-in")
        page.click("text=Create an account")
        shot("sign-up")
        page.fill("#username", EMAIL)
        page.fill("#password", "short")
        page.click("button[type=submit]")
        page.wait_for_selector("[role=alert]")
        shot("sign-up-refused")
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_selector("#code")
        shot("confirm")
        page.fill("#code", mailed_code())
        page.click("text=Confirm account")
        page.wait_for_selector("[role=status]")
        shot("confirmed")
        page.fill("#username", EMAIL)
        page.fill("#password", PASSWORD)
        page.click("button[type=submit]")
        page.wait_for_function("!['ready'].includes(document.getElementById('out')?.textContent ?? 'ready')")
        seen = json.loads(page.text_content("#out"))
        assert seen["email"] == EMAIL and seen["status"] == 200 and seen["refused"] == 401, seen
        hidden = [cookie for cookie in context.cookies(BASE + "/login") if cookie["name"] == "cognito"]
        assert hidden and hidden[0]["httpOnly"] and hidden[0]["sameSite"] == "Lax", hidden

        # Signed in once, nobody is asked again, until the pages sign the browser out.
        page.goto(ORIGIN)
        page.evaluate("begin()")
        page.wait_for_function("!['ready'].includes(document.getElementById('out')?.textContent ?? 'ready')")
        assert json.loads(page.text_content("#out"))["status"] == 200
        page.goto(f"{BASE}/logout?client_id={CLIENT}&logout_uri={ORIGIN}/callback")
        assert page.url == f"{ORIGIN}/callback", page.url
        page.evaluate("begin()")
        page.wait_for_selector("text=Create an account")
        page.click("text=Forgot your password?")
        shot("forgot")
        page.goto(f"{BASE}/login?client_id=nobody")
        shot("wrong-link")
        refusals = [text for text in broken if "Content Security Policy" in text or "CORS" in text]
        assert not refusals, refusals
        browser.close()
    server.shutdown()
    print("signed out")


main()
