//! The keys of an issuer come over an encrypted connection.

use super::{Find, Rule, Verdict};
use crate::access::doors::{Decider, guards};
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "issuer-not-https",
    verdict: Verdict::Refused,
    title: "an issuer is an https URL",
    why: "API Gateway fetches the keys of an issuer from its address. Whoever could change them on the way could sign any \
          token, so API Gateway takes https only.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Partners: { jwt: { issuer: \"https://issuer.example.com\", audience: [notes] } }
    routes:
      GET /notes: { function: Notes, authorizer: Partners }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Partners: { jwt: { issuer: \"http://issuer.example.com\", audience: [notes] } }
    routes:
      GET /notes: { function: Notes, authorizer: Partners }
",
    find: Find::Stack(find),
};

fn find(stack: &Stack) -> Vec<Complaint> {
    let trusted = guards(stack).filter_map(|guard| {
        let Decider::Jwt(jwt) = guard.decider else { return None };
        let (message, help) = wrong(jwt.issuer.as_ref()?.text()?)?;
        Some(guard.at(&["issuer"], message, help))
    });
    let vouching = stack.identity_providers.iter().filter_map(|(id, provider)| {
        let (message, help) = wrong(provider.oidc.as_ref()?.issuer.text()?)?;
        Some(Complaint::new(&["identityProviders", id, "oidc", "issuer"], message, help))
    });
    trusted.chain(vouching).collect()
}

fn wrong(issuer: &str) -> Option<(String, &'static str)> {
    let shown = issuer.escape_debug();
    let Ok(url) = url::Url::parse(issuer) else {
        return Some((
            format!("`{shown}` is not a URL"),
            "write the `iss` of the tokens: `https://issuer.example.com/`",
        ));
    };
    let help = "its keys must come over an encrypted connection: write `https://`";
    (url.scheme() != "https" || url.host_str().is_none())
        .then(|| (format!("issuer `{shown}` is not an https URL"), help))
}
