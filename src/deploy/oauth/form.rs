//! The sign-in page without a browser: its form, its cookies, and where it leads.

use reqwest::Response;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use url::Url;

use super::{Attempt, Error, Pages, encoded, plain};

/// Signs a user in; the query with which the pages send a browser back.
pub(super) async fn sign_in(pages: &Pages, attempt: &Attempt, name: &str, password: &str) -> Result<String, Error> {
    let begun = pages.http.get(&attempt.url).send().await.map_err(|error| pages.unreachable(error))?;
    let Some(place) = location(&begun) else { return Err(refused(pages, begun).await) };
    if let Some(query) = back(attempt, &place) {
        return Ok(query);
    }
    let place = begun.url().join(&place).map_err(|_| pages.strange())?;
    let shown = pages.http.get(place.clone()).send().await.map_err(|error| pages.unreachable(error))?;
    let cookies = cookies(&shown);
    let html = String::from_utf8_lossy(&pages.body(shown).await?).into_owned();
    let seal = hidden(&html, "_csrf").ok_or(Error::MoreThanPassword)?;
    let form = encoded([("_csrf", seal), ("username", name), ("password", password)].into_iter());
    let posted = post(pages, place, &cookies, form).await?;
    match location(&posted) {
        Some(place) => back(attempt, &place).ok_or_else(|| pages.strange()),
        None => Err(refused(pages, posted).await),
    }
}

async fn post(pages: &Pages, place: Url, cookies: &str, form: String) -> Result<Response, Error> {
    let request = pages.http.post(place).body(form).header(COOKIE, cookies);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.send().await.map_err(|error| pages.unreachable(error))
}

fn location(response: &Response) -> Option<String> {
    response.headers().get(LOCATION)?.to_str().ok().map(str::to_owned)
}

/// The query of an address that is the attempt's own.
fn back(attempt: &Attempt, place: &str) -> Option<String> {
    place.strip_prefix(&attempt.redirect_uri)?.strip_prefix('?').map(str::to_owned)
}

fn cookies(response: &Response) -> String {
    let all = response.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    all.filter_map(|cookie| cookie.split(';').next()).collect::<Vec<_>>().join("; ")
}

/// The value of a hidden input.
fn hidden<'a>(html: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(&format!("type=\"hidden\" name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

/// What a page says went wrong; a page that says nothing asks for something.
async fn refused(pages: &Pages, response: Response) -> Error {
    let html = match pages.body(response).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(error) => return error,
    };
    let between =
        |from: &str, to: &str| html.split_once(from).and_then(|(_, rest)| rest.split_once(to)).map(|(words, _)| words);
    let alert = between("role=\"alert\">", "</p>");
    let lead = between("<p class=\"lead\">", "</p>").filter(|_| !html.contains("<form"));
    match alert.or(lead) {
        Some(words) => Error::Refused { error: plain(words) },
        None => Error::MoreThanPassword,
    }
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn a_hidden_value_is_found() {
        let html = r#"<form><input type="hidden" name="_csrf" value="abc"><input name="username" value="x"></form>"#;
        assert_eq!(hidden(html, "_csrf"), Some("abc"));
        assert_eq!(hidden(html, "username"), None);
    }
}
