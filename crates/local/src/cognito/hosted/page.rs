//! What a browser is shown, and what it may do with it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handlebars::Handlebars;
use http::StatusCode;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::wire::{Response, header_value, text};

const STYLE: &str = include_str!("../../../../../templates/hosted/style.css");

const TEMPLATES: [(&str, &str); 10] = [
    ("layout", include_str!("../../../../../templates/hosted/layout.hbs")),
    ("challenge", include_str!("../../../../../templates/hosted/challenge.hbs")),
    ("confirm", include_str!("../../../../../templates/hosted/confirm.hbs")),
    ("consent", include_str!("../../../../../templates/hosted/consent.hbs")),
    ("forgot", include_str!("../../../../../templates/hosted/forgot.hbs")),
    ("message", include_str!("../../../../../templates/hosted/message.hbs")),
    ("reset", include_str!("../../../../../templates/hosted/reset.hbs")),
    ("sign_in", include_str!("../../../../../templates/hosted/sign_in.hbs")),
    ("sign_up", include_str!("../../../../../templates/hosted/sign_up.hbs")),
    ("stand_in", include_str!("../../../../../templates/hosted/stand_in.hbs")),
];

static PAGES: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut pages = Handlebars::new();
    for (name, template) in TEMPLATES {
        pages.register_template_string(name, template).expect("a test renders every template");
    }
    pages
});

/// What a style sheet is known by, so that no other one applies.
static STYLE_HASH: LazyLock<String> = LazyLock::new(|| STANDARD.encode(Sha256::digest(STYLE)));

/// A page before it is rendered.
#[derive(Debug)]
pub(crate) struct Page {
    template: &'static str,
    status: StatusCode,
    data: Value,
    /// Sources besides this site to which its forms may lead, by redirection.
    leads_to: String,
    cookies: Vec<String>,
}

impl Page {
    /// A page from a template.
    pub(crate) fn new(template: &'static str, title: &str, mut data: Value) -> Self {
        data["title"] = json!(title);
        data["style"] = json!(STYLE);
        data["footer"] = json!("stackgen, local cloud");
        Self { template, status: StatusCode::OK, data, leads_to: String::new(), cookies: Vec::new() }
    }

    /// A page that only says something.
    pub(crate) fn message(status: StatusCode, title: &str, words: &str) -> Self {
        Self { status, ..Self::new("message", title, json!({ "lead": words })) }
    }

    /// The page with a sentence below its title.
    pub(crate) fn lead(mut self, words: &str) -> Self {
        self.data["lead"] = json!(words);
        self
    }

    /// The page with what went wrong.
    pub(crate) fn error(mut self, words: &str) -> Self {
        self.data["error"] = json!(words);
        self.status = StatusCode::BAD_REQUEST;
        self
    }

    /// The page with what went well.
    pub(crate) fn notice(mut self, words: Option<&str>) -> Self {
        self.data["notice"] = json!(words);
        self
    }

    /// The page with a source to which its forms may lead.
    pub(crate) fn leading_to(mut self, source: &str) -> Self {
        source.clone_into(&mut self.leads_to);
        self
    }

    /// The page with a cookie.
    pub(crate) fn cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// The answer. What people wrote is escaped by the templates.
    pub(crate) fn html(self) -> Response {
        let html = PAGES.render(self.template, &self.data).expect("a test renders every template");
        let mut response = text(self.status, "text/html; charset=utf-8", html);
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
            *STYLE_HASH, self.leads_to
        );
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, header_value(&policy));
        with_cookies(response, self.cookies)
    }
}

/// Sends the browser elsewhere.
pub(crate) fn redirect(location: &str, cookies: Vec<String>) -> Response {
    let mut response = text(StatusCode::FOUND, "text/plain; charset=utf-8", "");
    response.headers_mut().insert(LOCATION, header_value(location));
    with_cookies(response, cookies)
}

fn with_cookies(mut response: Response, cookies: Vec<String>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, header_value(&cookie));
    }
    response
}

/// The answer with what every one of these pages says: no frame, no copy, no guess, no address for others. A form sends its
/// origin to the own site only as long as referrers are not switched off altogether.
pub(crate) fn hardened(mut response: Response) -> Response {
    let fixed: [(HeaderName, &'static str); 4] = [
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.headers_mut().entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(template: &'static str, mut data: Value) -> String {
        data["title"] = json!("A title");
        PAGES.render(template, &data).expect("it renders")
    }

    #[test]
    fn every_template_renders_and_escapes_what_people_wrote() {
        let hostile = "\"><script>alert(1)</script>";
        let field = json!([{ "name": hostile, "label": hostile, "value": hostile, "hint": hostile }]);
        let data = json!({
            "lead": hostile, "error": hostile, "notice": hostile, "username": hostile, "query": hostile, "csrf": hostile,
            "base": hostile, "fields": field, "providers": field, "people": field, "scopes": [hostile], "client": hostile,
            "name": hostile, "secret": hostile, "app": hostile, "session": hostile, "state": hostile, "policy": hostile,
            "login": { "label": hostile, "kind": hostile }, "local": true, "sign_up": true, "link": hostile,
        });
        for (name, _) in TEMPLATES.iter().filter(|(name, _)| *name != "layout") {
            let html = html(name, data.clone());
            assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{name}: {html}");
            assert!(html.contains("<title>A title</title>") && html.contains("</html>"), "{name}");
            assert!(!html.contains("http://") && !html.contains("https://"), "{name} asks for something elsewhere");
        }
    }

    #[test]
    fn a_page_is_framed_by_nobody_and_its_style_applies() {
        let response = hardened(Page::new("message", "Hello", json!({})).leading_to("https://app.example").html());
        let header =
            |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert_eq!((header("x-frame-options"), header("cache-control")), ("DENY", "no-store"));
        let policy = header("content-security-policy");
        let hash = STANDARD.encode(Sha256::digest(STYLE));
        assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{policy}");
        assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
        // The hash is of what stands between the tags.
        assert!(html("message", json!({ "style": STYLE })).contains(&format!("<style>{STYLE}</style>")));
    }

    #[test]
    fn a_header_is_one_line() {
        let response = redirect("https://app.example/\r\nset-cookie: a=b", Vec::new());
        assert_eq!(response.headers()["location"], "https://app.example/??set-cookie: a=b");
    }
}
