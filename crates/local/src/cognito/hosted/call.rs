//! One request to a pool's pages, and the browser behind it.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cloud::Cloud;
use crate::cognito::hosted::asked::{Asked, Refusal};
use crate::cognito::hosted::page::Page;
use crate::cognito::moment::Moment;
use crate::cognito::pool::{UserPool, Visit};
use crate::wire::{Fault, Request};

/// The pages of one pool.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// The pool's id.
    pub(super) pool: String,
    /// What comes before the path of each page.
    pub(super) base: String,
    /// Scheme and host, as the browser has them.
    pub(super) origin: String,
    pepper: [u8; 32],
}

impl Site {
    /// The site of a domain, where a pool has it.
    pub(super) fn find(cloud: &Cloud, domain: &str, base: String, request: &Request) -> Option<Self> {
        let origin = format!("http://{}", request.headers.get(HOST)?.to_str().ok()?);
        cloud.read(|account| {
            let pool = account.cognito.pools.values().find(|pool| pool.domains.contains_key(domain))?;
            Some(Self { pool: pool.id.clone(), base, origin, pepper: *pool.pepper })
        })
    }

    /// A cookie that scripts cannot read and other sites do not send along.
    pub(super) fn cookie(&self, name: &str, value: &str, seconds: Option<i64>) -> String {
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        format!("{name}={value}; Path={}/; HttpOnly; SameSite=Lax{age}", self.base)
    }

    /// The proof that a form comes from a page that this browser was given.
    fn seal(&self, nonce: &str) -> String {
        hex::encode(hmac::sign(&self.key(), self.sealed(nonce).as_bytes()))
    }

    fn is_sealed(&self, nonce: &str, seal: &str) -> bool {
        let seal = hex::decode(seal).unwrap_or_default();
        hmac::verify(&self.key(), self.sealed(nonce).as_bytes(), &seal).is_ok()
    }

    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.pepper)
    }

    fn sealed(&self, nonce: &str) -> String {
        format!("form {} {nonce}", self.pool)
    }
}

/// Names and values of a query or a form, decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a query or the body of a form.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The first value of a name; an empty one is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Whether one of these names comes more than once.
    pub(super) fn repeats(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.iter().filter(|(known, _)| known == name).count() > 1)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// The cookie of somebody who is signed in to the pages.
const SESSION: &str = "cognito";
/// The cookie that each form must match.
const FORM: &str = "XSRF-TOKEN";

/// Something random that fits into a cookie.
pub(super) fn secret() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// How a secret is kept.
pub(super) fn hashed(secret: &str) -> String {
    hex::encode(Sha256::digest(secret))
}

/// One request to a pool's pages.
pub(super) struct Call<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) site: Site,
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: Fields,
    pub(super) form: Fields,
    cookies: BTreeMap<String, String>,
    /// What the browser's form cookie holds from now on.
    nonce: String,
}

impl<'a> Call<'a> {
    /// Reads a request.
    pub(super) fn new(cloud: &'a Cloud, site: Site, request: &'a Request) -> Self {
        let (query, form) = (Fields::read(request.query.as_bytes()), Fields::read(&request.body));
        let cookies = cookies(&request.headers);
        let is_ours = |nonce: &&String| URL_SAFE_NO_PAD.decode(nonce).is_ok_and(|bytes| bytes.len() == 32);
        let nonce = cookies.get(FORM).filter(is_ours).cloned().unwrap_or_else(secret);
        Self { cloud, site, method: &request.method, headers: &request.headers, query, form, cookies, nonce }
    }

    /// The moment of the request.
    pub(super) fn now(&self) -> Moment {
        self.cloud.now().into()
    }

    /// A cookie that the browser sent.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Looks at the pool.
    pub(super) fn read<T>(&self, look: impl FnOnce(&UserPool) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.cloud.read(|account| look(account.cognito.pool(&self.site.pool)?))
    }

    /// The application's request, which each page's address repeats.
    pub(super) fn asked(&self) -> Result<Asked, Refusal> {
        self.read(|pool| Asked::read(pool, &self.query))
    }

    /// Refuses a form that another site has sent, or that belongs to another browser.
    pub(super) fn check_form(&self) -> Result<(), Refusal> {
        let own = |origin: &http::HeaderValue| origin.as_bytes() == self.site.origin.as_bytes();
        let nonce = self.cookies.get(FORM).filter(|nonce| **nonce == self.nonce);
        let seal = self.form.get("_csrf").unwrap_or_default();
        if self.headers.get(ORIGIN).is_none_or(own) && nonce.is_some_and(|nonce| self.site.is_sealed(nonce, seal)) {
            return Ok(());
        }
        let words =
            "This form did not come from the page that your browser was given. Go back, reload the page and try again.";
        Err(Refusal::page(StatusCode::FORBIDDEN, "That did not work", words))
    }

    /// Who is signed in to the pages with this browser.
    pub(super) fn visit(&self) -> Option<Visit> {
        let name = hashed(self.cookie(SESSION)?);
        self.cloud.read(|account| {
            let pool = account.cognito.pool(&self.site.pool).ok()?;
            let visit = pool.visits.get(&name).filter(|visit| self.now() < visit.expires)?;
            let user = pool.users.get(&visit.username).filter(|user| user.enabled)?;
            user.signed_out.is_none_or(|at| at < visit.began).then(|| visit.clone())
        })
    }

    /// Signs somebody in to the pages; the cookie that says so. An older one of this browser is void.
    pub(super) fn begin_visit(&self, visit: Visit) -> Result<String, Fault> {
        let (secret, now) = (secret(), self.now());
        let seconds = visit.expires.seconds().saturating_sub(now.seconds());
        let old = self.cookie(SESSION).map(hashed).unwrap_or_default();
        self.cloud.write(|account| {
            let visits = &mut account.cognito.pool_mut(&self.site.pool)?.visits;
            visits.retain(|name, known| *name != old && now < known.expires);
            visits.insert(hashed(&secret), visit);
            Ok::<_, Fault>(())
        })?;
        Ok(self.site.cookie(SESSION, &secret, Some(seconds)))
    }

    /// Signs this browser out of the pages; the cookie that says so.
    pub(super) fn end_visit(&self) -> Result<String, Fault> {
        let old = self.cookie(SESSION).map(hashed).unwrap_or_default();
        self.cloud.write(|account| {
            account.cognito.pool_mut(&self.site.pool)?.visits.remove(&old);
            Ok::<_, Fault>(())
        })?;
        Ok(self.site.cookie(SESSION, "", Some(0)))
    }

    /// A page of this site, whose forms this browser may send.
    pub(super) fn page(&self, template: &'static str, title: &str, asked: &Asked, mut data: Value) -> Page {
        data["base"] = json!(self.site.base);
        data["query"] = json!(asked.query);
        data["csrf"] = json!(self.site.seal(&self.nonce));
        let page = Page::new(template, title, data).leading_to(&asked.origin());
        page.cookie(self.site.cookie(FORM, &self.nonce, None))
    }
}

fn cookies(headers: &HeaderMap) -> BTreeMap<String, String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
