//! A browser without scripts: it keeps cookies, fills in forms and does not follow redirections by itself.

use std::collections::BTreeMap;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use url::{Url, form_urlencoded};

/// One browser.
pub(crate) struct Visitor {
    http: reqwest::Client,
    /// The cookies of one site, by name.
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What a browser got.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
    /// Its address.
    pub(crate) url: Url,
}

impl Visitor {
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
        Self { http, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Seen {
        self.send(self.http.get(url)).await
    }

    /// Follows redirections for as long as they stay on this machine's cloud.
    pub(crate) async fn follow(&mut self, url: &str) -> Seen {
        let mut seen = self.get(url).await;
        for _ in 0..10 {
            let Some(location) = seen.location() else { return seen };
            let next = seen.url.join(&location).expect("an address");
            if next.origin() != seen.url.origin() {
                return seen;
            }
            seen = self.get(next.as_str()).await;
        }
        panic!("it goes round in circles: {}", seen.url)
    }

    /// Sends the first form of a page, its hidden fields included.
    pub(crate) async fn submit(&mut self, page: &Seen, fields: &[(&str, &str)]) -> Seen {
        let origin = page.url.origin().ascii_serialization();
        self.submit_from(page, fields, &origin).await
    }

    /// Sends the first form of a page as if another site did.
    pub(crate) async fn submit_from(&mut self, page: &Seen, fields: &[(&str, &str)], origin: &str) -> Seen {
        let hidden = page.hidden();
        let all = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(fields.iter().copied());
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        let request = self.http.post(page.action()).body(body).header("origin", origin);
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await.expect("the cloud answers");
        for cookie in response.headers().get_all(SET_COOKIE) {
            let cookie = cookie.to_str().expect("it is text");
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let (status, headers, url) = (response.status().as_u16(), response.headers().clone(), response.url().clone());
        Seen { status, headers, url, html: response.text().await.expect("it is text") }
    }
}

impl Seen {
    /// Where it leads.
    pub(crate) fn location(&self) -> Option<String> {
        self.headers.get(LOCATION).map(|location| location.to_str().expect("it is text").to_owned())
    }

    /// A parameter of where it leads, in the query or in the fragment.
    pub(crate) fn brings(&self, name: &str) -> Option<String> {
        let location = self.url.join(&self.location()?).expect("an address");
        let text = location.fragment().or(location.query()).unwrap_or_default();
        form_urlencoded::parse(text.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("it is text"))
    }

    pub(crate) fn title(&self) -> &str {
        between(&self.html, "<title>", "</title>").unwrap_or_default()
    }

    /// What went wrong, as the page says.
    pub(crate) fn alert(&self) -> String {
        unescaped(between(&self.html, "role=\"alert\">", "</p>").unwrap_or_default())
    }

    /// Where the first link goes that says this.
    pub(crate) fn link(&self, words: &str) -> String {
        let (before, _) = self.html.split_once(&format!("{words}</a>")).expect("there is such a link");
        let (_, after) = before.rsplit_once("href=\"").expect("it leads somewhere");
        let target = unescaped(after.split('"').next().expect("it ends"));
        self.url.join(&target).expect("an address").into()
    }

    fn form(&self) -> &str {
        between(&self.html, "<form", "</form>").unwrap_or_else(|| panic!("no form in {}\n{}", self.url, self.html))
    }

    fn action(&self) -> Url {
        let action = unescaped(between(self.form(), "action=\"", "\"").expect("it leads somewhere"));
        self.url.join(&action).expect("an address")
    }

    pub(crate) fn hidden(&self) -> Vec<(String, String)> {
        let inputs = self.form().split("<input type=\"hidden\" name=\"").skip(1);
        inputs
            .map(|input| {
                let (name, rest) = input.split_once("\" value=\"").expect("it has a value");
                (name.to_owned(), unescaped(rest.split('"').next().expect("it ends")))
            })
            .collect()
    }
}

pub(crate) fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(from)?;
    rest.split_once(to).map(|(found, _)| found)
}

fn unescaped(text: &str) -> String {
    let marks = [
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x3D;", "="),
        ("&#x60;", "`"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ];
    marks.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
