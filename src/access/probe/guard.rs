//! Who must pass the guard of a door, and who must not.

mod policy;
mod token;

use std::collections::BTreeSet;

use super::{
    ApiKey, Asked, At, Carrier, Credential, Door, Gateway, Must, PLACEHOLDER, Place, Plan, Probe, Request, Signature,
};
use crate::access::flaw::{self, Flaw};
use crate::access::matrix::{Guard, Lambda, Matrix, Setting};
use policy::Stance;
use token::Tokens;

/// Calls with good and bad credentials.
pub(super) fn probes(plan: &mut Plan, at: &At<'_>) {
    let mut trial = Trial::of(plan, at);
    trial.guard(&at.route.guard, Some(at.place));
    trial.api_key(at);
}

/// The same for the address of a function.
pub(super) fn url(plan: &mut Plan, matrix: &Matrix, door: Door, request: Request, guard: &Guard) {
    let (gateway, carrier) = (Gateway::Url, Carrier::default());
    let (others, api_key) = (Vec::new(), ApiKey::NotAsked);
    let mut trial =
        Trial { plan, matrix, door, gateway, request, carrier, others, api_key, stance: Stance::Silent, good: None };
    trial.guard(guard, None);
}

/// One door that is tried.
struct Trial<'a> {
    plan: &'a mut Plan,
    matrix: &'a Matrix,
    door: Door,
    gateway: Gateway,
    request: Request,
    /// Where the credential is shown.
    carrier: Carrier,
    /// What else a request must carry to be looked at.
    others: Vec<Carrier>,
    api_key: ApiKey,
    /// What the policy of the API says of the request, whoever sends it.
    stance: Stance,
    /// A credential that passes.
    good: Option<Credential>,
}

impl<'a> Trial<'a> {
    fn of(plan: &'a mut Plan, at: &At<'a>) -> Self {
        let (carrier, others) = carriers(&at.route.guard);
        let api_key = match &at.route.api_key {
            Setting::Known(true) => ApiKey::Good,
            Setting::Known(false) | Setting::Unknown { .. } => ApiKey::NotAsked,
        };
        Self {
            plan,
            matrix: at.place.matrix,
            door: at.door.clone(),
            gateway: Gateway::of(at.place.api.kind),
            request: at.request.clone(),
            carrier,
            others,
            api_key,
            stance: Stance::of(&at.place.api.policy, at.place.stage, &at.request),
            good: None,
        }
    }

    fn guard(&mut self, guard: &Guard, place: Option<&Place<'_>>) {
        match guard {
            Guard::Public => self.public(),
            Guard::Connected => {}
            Guard::Iam => self.signature(),
            Guard::Jwt(jwt) => {
                self.nobody(Asked::Token);
                let kind = if jwt.scopes.is_empty() { flaw::Guard::Jwt } else { flaw::Guard::ScopedJwt };
                self.tokens(Asked::Token, &Tokens::of_jwt(self.matrix, jwt), kind);
            }
            Guard::Cognito(cognito) => {
                self.nobody(Asked::Token);
                let is_scoped = !cognito.scopes.is_empty();
                let kind = if is_scoped { flaw::Guard::ScopedCognito } else { flaw::Guard::Cognito };
                self.tokens(Asked::Token, &Tokens::of_cognito(self.matrix, cognito), kind);
            }
            Guard::Lambda(lambda) => self.decision(lambda, place),
            Guard::Unknown { .. } => self.leave_out("the route", "the template does not tell what guards it"),
        }
    }

    fn public(&mut self) {
        self.passes(Credential::Nothing, "no credentials", "the file says that the route is public");
    }

    /// What no guard lets pass.
    fn nobody(&mut self, asked: Asked) {
        self.refused(asked, Credential::Nothing, "no credentials", "the route is not public");
        self.refused(asked, Credential::Garbage, "a text that is no token", "it says nothing about its sender");
    }

    fn signature(&mut self) {
        let asked = Asked::Signature;
        self.nobody(asked);
        if let Some(token) = Tokens::any(self.matrix) {
            self.refused(asked, Credential::Token(token), "a user's token", "the route asks for a signature");
        }
        for (bad, what, why) in [
            (Signature::OtherSecret, "a signature with another secret", "nobody can know who made it"),
            (Signature::Stale, "a signature of an hour ago", "whoever has seen it could send it again"),
            (Signature::OtherService, "a signature for another service", "it was not made for this API"),
        ] {
            self.refused(asked, Credential::Signature(bad), what, why);
        }
        let why = "the file lets pass whoever may invoke the route by IAM, as the account that deploys should";
        self.passes(Credential::Signature(Signature::Good), "a signature", why);
    }

    fn decision(&mut self, lambda: &Lambda, place: Option<&Place<'_>>) {
        self.nobody(Asked::Decision);
        if let Some(tokens) = Tokens::of_function(self.matrix, lambda) {
            let is_scoped = lambda.settings.get("REQUIRED_SCOPES").is_some_and(|scopes| !scopes.is_empty());
            let kind = if is_scoped { flaw::Guard::ScopedFunction } else { flaw::Guard::Function };
            return self.tokens(Asked::Decision, &tokens, kind);
        }
        let Some(place) = place else { return };
        let secret = lambda.settings.get("API_TOKEN_SECRET").cloned();
        if let (Some(token), Some(_)) = (Tokens::any(self.matrix), &secret) {
            let why = "the function compares with one secret";
            self.refused(Asked::Decision, Credential::Token(token), "a user's token", why);
        }
        if let Some(secret) = &secret {
            self.strangers_secrets(Asked::Decision, Some(secret));
        }
        let shared = Credential::Shared { api: place.id.to_owned(), authorizer: lambda.authorizer.clone(), secret };
        self.passes(shared, "the credential", "the function should let it pass");
    }

    /// The secrets that other authorizers of the stack compare with.
    fn strangers_secrets(&mut self, asked: Asked, own: Option<&String>) {
        for shared in secrets(self.matrix) {
            if let Credential::Shared { authorizer, secret, .. } = &shared
                && secret.as_ref() != own
            {
                let what = format!("the credential of authorizer {authorizer}");
                self.refused(asked, shared.clone(), &what, "it is for other routes");
            }
        }
    }

    fn tokens(&mut self, asked: Asked, tokens: &Tokens, kind: flaw::Guard) {
        for (token, what) in &tokens.good {
            self.passes(Credential::Token(token.clone()), what, "the file lets it pass");
        }
        if tokens.good.is_empty() {
            self.leave_out("who may pass", "no client of the stack gets such tokens");
        }
        for (token, what, why) in &tokens.bad {
            self.refused(asked, Credential::Token(token.clone()), what, why);
        }
        if let Some(base) = &tokens.base {
            for flaw in Flaw::ALL {
                let is_due = flaw != Flaw::Id || tokens.wants_access;
                if is_due && flaw.answer(kind).is_some() {
                    let what = format!("a token that {}", flaw.wrong());
                    self.refused(asked, Credential::Flawed(base.clone(), flaw), &what, "it is good but for that");
                }
            }
        }
        self.strangers_secrets(asked, None);
    }

    /// A good caller without the API key that the route asks for as well.
    fn api_key(&mut self, at: &At<'_>) {
        if let Setting::Unknown { .. } = at.route.api_key {
            self.leave_out("API keys", "the template does not tell whether one is needed");
        }
        if self.api_key != ApiKey::Good {
            return;
        }
        let good = self.good.clone();
        let mut refused = |asked: Asked, key: ApiKey, credential: Credential, what: &str| {
            self.api_key = key;
            self.refused(asked, credential, what, "the route asks for an API key besides");
        };
        // This one can be tried without any key. The guard is asked before the key is.
        if good != Some(Credential::Nothing) {
            let what = "no credentials and no API key";
            refused(first(&at.route.guard), ApiKey::Missing, Credential::Nothing, what);
        }
        if let Some(good) = good {
            refused(Asked::ApiKey, ApiKey::Missing, good.clone(), "no API key");
            refused(Asked::ApiKey, ApiKey::Wrong, good, "an API key that nobody was given");
        }
        self.api_key = ApiKey::Good;
    }

    fn refused(&mut self, asked: Asked, credential: Credential, what: &str, why: &str) {
        self.push(credential, Must::BeRefused(asked), what, why);
    }

    fn passes(&mut self, credential: Credential, what: &str, why: &str) {
        match self.stance {
            Stance::Denies => {
                let why = "the policy of the API denies it to everybody";
                self.push(credential, Must::BeRefused(Asked::Decision), what, why);
            }
            Stance::Unsure => self.leave_out(what, "the policy of the API has a say, and its conditions are not known"),
            Stance::Silent => {
                self.good.get_or_insert_with(|| credential.clone());
                self.push(credential, Must::Pass, what, why);
            }
        }
    }

    fn push(&mut self, credential: Credential, must: Must, what: &str, why: &str) {
        let mut request = self.request.clone();
        if credential != Credential::Nothing {
            for other in &self.others {
                match other {
                    Carrier::Header(name) => request.headers.push((name.clone(), PLACEHOLDER.to_owned())),
                    Carrier::Query(name) => request.query.push(format!("{name}={PLACEHOLDER}")),
                }
            }
        }
        self.plan.probes.push(Probe {
            door: self.door.clone(),
            gateway: self.gateway,
            request,
            credential,
            carrier: self.carrier.clone(),
            api_key: self.api_key,
            must,
            what: what.to_owned(),
            why: why.to_owned(),
        });
    }

    fn leave_out(&mut self, what: &str, why: &str) {
        self.plan.leave_out(self.door.clone(), what, why);
    }
}

/// What is asked of a caller before an API key is.
fn first(guard: &Guard) -> Asked {
    match guard {
        Guard::Jwt(_) | Guard::Cognito(_) => Asked::Token,
        Guard::Lambda(_) => Asked::Decision,
        Guard::Iam => Asked::Signature,
        Guard::Public | Guard::Connected | Guard::Unknown { .. } => Asked::ApiKey,
    }
}

/// The credentials of all authorizers that compare with a secret of the stack, one a secret.
fn secrets(matrix: &Matrix) -> Vec<Credential> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for (id, api) in &matrix.apis {
        for route in api.routes.values() {
            let Guard::Lambda(lambda) = &route.guard else { continue };
            if let Some(secret) = lambda.settings.get("API_TOKEN_SECRET").filter(|secret| known.insert(*secret)) {
                let (api, authorizer) = (id.clone(), lambda.authorizer.clone());
                all.push(Credential::Shared { api, authorizer, secret: Some(secret.clone()) });
            }
        }
    }
    all
}

/// Where a guard looks for what a caller shows, and what else a request must carry.
fn carriers(guard: &Guard) -> (Carrier, Vec<Carrier>) {
    let sources = guard.sources().into_iter().flatten();
    let mut all: Vec<Carrier> = sources.filter_map(|source| carrier(source)).collect();
    let named = match guard {
        Guard::Lambda(lambda) => {
            let setting = |name: &str| lambda.settings.get(name).filter(|value| !value.is_empty()).cloned();
            setting("TOKEN_HEADER").map(Carrier::Header).or_else(|| setting("TOKEN_QUERY").map(Carrier::Query))
        }
        _ => None,
    };
    // A TOKEN authorizer is handed the value of its only source, whatever its function would look for.
    let named = named.filter(|named| all.is_empty() || all.contains(named));
    let is_header = |carrier: &Carrier| matches!(carrier, Carrier::Header(_));
    let first = named.or_else(|| all.iter().find(|one| is_header(one)).or_else(|| all.first()).cloned());
    let first = first.unwrap_or_default();
    all.retain(|other| *other != first);
    (first, all)
}

/// What an identity source names, such as `$request.header.Authorization`. Those that are not the caller's to send are
/// none.
fn carrier(source: &str) -> Option<Carrier> {
    let (_, named) = source.split_once("request.")?;
    match named.split_once('.')? {
        ("header", name) => Some(Carrier::Header(name.to_owned())),
        ("querystring", name) => Some(Carrier::Query(name.to_owned())),
        _ => None,
    }
}

/// Whether a token can be asked for at all.
fn is_known(text: &str) -> bool {
    !text.contains("${")
}

#[cfg(test)]
mod tests {
    use super::{Carrier, carrier};

    #[test]
    fn sources_are_headers_or_parameters() {
        let header = Some(Carrier::Header("Authorization".to_owned()));
        assert_eq!(carrier("$request.header.Authorization"), header);
        assert_eq!(carrier("method.request.header.Authorization"), header);
        assert_eq!(carrier("route.request.querystring.token"), Some(Carrier::Query("token".to_owned())));
        assert_eq!(carrier("$context.identity.sourceIp"), None);
        assert_eq!(carrier("stageVariables.a"), None);
    }
}
