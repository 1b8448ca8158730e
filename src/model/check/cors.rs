//! Origins, of which browsers compare the whole text.

/// What is wrong with the text of an origin, and what to do about it.
pub(super) fn wrong_origin(text: &str) -> Option<(String, String)> {
    // A dynamic reference is not known here.
    if text == "*" || text.contains("{{") {
        return None;
    }
    let message = format!("`{}` is not an origin", text.escape_debug());
    // To the parser `*` is a host like others.
    let url = url::Url::parse(text).ok().filter(|url| url.host_str() != Some("*"));
    let meant = url.map(|url| url.origin().ascii_serialization()).filter(|meant| meant != "null");
    match meant {
        Some(meant) if meant == text => None,
        Some(meant) => Some((message, format!("write `{meant}`: browsers compare the whole text"))),
        None if is_of_an_app(text) => None,
        None => Some((message, "write a scheme and a host: `https://example.com`".to_owned())),
    }
}

/// Apps and extensions have schemes of their own: `capacitor://localhost`.
fn is_of_an_app(text: &str) -> bool {
    let parts = text.split_once("://").filter(|(scheme, _)| !matches!(*scheme, "http" | "https"));
    parts.is_some_and(|(scheme, host)| is_scheme(scheme) && !matches!(host, "" | "*") && !host.contains(['/', ' ']))
}

pub(super) fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::wrong_origin;

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        for origin in ["*", "https://example.com", "http://localhost:3000", "capacitor://localhost"] {
            assert_eq!(wrong_origin(origin), None, "{origin}");
        }
        let hosts = ["https://example.com:99999", "https://[::1", "https://ex|ample.com", "https://*"];
        for wrong in ["example.com", "https://", "localhost:3000", "https://example.com/a b", "", "ftp ://x"] {
            assert!(wrong_origin(wrong).is_some(), "{wrong}");
        }
        for wrong in hosts {
            let help = wrong_origin(wrong).map(|(_, help)| help);
            assert_eq!(help.as_deref(), Some("write a scheme and a host: `https://example.com`"), "{wrong}");
        }
        for near in ["https://example.com/", "https://Example.com", "https://example.com:443"] {
            let help = wrong_origin(near).map(|(_, help)| help);
            assert_eq!(help.as_deref(), Some("write `https://example.com`: browsers compare the whole text"), "{near}");
        }
    }
}
