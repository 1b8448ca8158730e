//! Tokens of the stack's own pools: those that a guard takes, and good ones that it must not take.

use std::collections::BTreeSet;

use super::is_known;
use crate::access::matrix::{Cognito, Jwt, Lambda, Matrix, Pool, references};
use crate::access::probe::{Token, TokenKind};

/// The tokens that are tried at a door.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Those that pass, with words for each.
    pub(super) good: Vec<(Token, String)>,
    /// Good ones that are for another door: the words, and why.
    pub(super) bad: Vec<(Token, String, String)>,
    /// The one that flawed ones differ from.
    pub(super) base: Option<Token>,
    /// Whether it is an access token that passes.
    pub(super) wants_access: bool,
}

impl Tokens {
    /// Any token of any user, where the stack has a pool with a client.
    pub(super) fn any(matrix: &Matrix) -> Option<Token> {
        let (pool, client) = clients(matrix).next()?;
        Some(token(pool, client, TokenKind::Id))
    }

    pub(super) fn of_jwt(matrix: &Matrix, jwt: &Jwt) -> Self {
        let scopes = Scopes::of(&jwt.scopes);
        let kind = if scopes.asked.is_empty() { TokenKind::Id } else { TokenKind::Access };
        let mut tokens = Self::default();
        let Some((pool, declared)) = named(matrix, &jwt.issuer) else {
            // Nobody of the stack's own pools has a token of another issuer.
            if is_told(&jwt.issuer) {
                tokens.refuse_others(matrix, |_, _| false, &scopes, kind);
            }
            return tokens;
        };
        let own = clients_named(declared, &jwt.audiences);
        for client in &own {
            tokens.take(pool, client, &scopes, &[TokenKind::Id, TokenKind::Access]);
        }
        // What only the deployment knows may be any client of the pool.
        let is_told = jwt.audiences.iter().all(|audience| is_told(audience) || names_one_of(&own, audience));
        let takes = |other: &str, client: &str| other == pool && (!is_told || own.iter().any(|own| own == client));
        tokens.refuse_others(matrix, takes, &scopes, kind);
        tokens
    }

    /// A Cognito authorizer takes the tokens of every client of its pools.
    pub(super) fn of_cognito(matrix: &Matrix, cognito: &Cognito) -> Self {
        let pools: BTreeSet<&str> = cognito.pools.iter().filter_map(|pool| Some(named(matrix, pool)?.0)).collect();
        let scopes = Scopes::of(&cognito.scopes);
        let mut tokens = Self::default();
        for (pool, client) in clients(matrix).filter(|(pool, _)| pools.contains(pool)) {
            tokens.take(pool, client, &scopes, &[TokenKind::Id]);
        }
        if let (Some(base), true) = (&tokens.base, scopes.asked.is_empty()) {
            let access = Token { kind: TokenKind::Access, ..base.clone() };
            let why = "without scopes the authorizer wants ID tokens".to_owned();
            tokens.bad.push((access, "an access token".to_owned(), why));
        }
        let is_named = |pool: &String| is_told(pool) || named(matrix, pool).is_some();
        if cognito.pools.iter().all(is_named) {
            let kind = if scopes.asked.is_empty() { TokenKind::Id } else { TokenKind::Access };
            tokens.refuse_others(matrix, |pool, _| pools.contains(pool), &scopes, kind);
        }
        tokens
    }

    /// What `functions/cognito-authorizer` takes, by its environment; nothing where it is another function.
    pub(super) fn of_function(matrix: &Matrix, lambda: &Lambda) -> Option<Self> {
        let setting = |name: &str| lambda.settings.get(name).map(String::as_str).unwrap_or_default();
        let list = |name: &str| -> BTreeSet<String> { setting(name).split_whitespace().map(str::to_owned).collect() };
        let (pool, declared) = named(matrix, setting("USER_POOL_ID"))?;
        let own = clients_named(declared, &list("CLIENT_IDS"));
        let kinds: &[TokenKind] = match setting("TOKEN_USE") {
            "id" => &[TokenKind::Id],
            "any" => &[TokenKind::Access, TokenKind::Id],
            _ => &[TokenKind::Access],
        };
        let scopes = Scopes { asked: list("REQUIRED_SCOPES"), groups: list("REQUIRED_GROUPS") };
        let mut tokens = Self::default();
        for client in &own {
            tokens.take(pool, client, &scopes, kinds);
        }
        tokens.wants_access = kinds == [TokenKind::Access];
        if let (Some(base), [TokenKind::Id]) = (&tokens.base, kinds) {
            let access = Token { kind: TokenKind::Access, ..base.clone() };
            let why = "the function's `TOKEN_USE` wants ID tokens".to_owned();
            tokens.bad.push((access, "an access token".to_owned(), why));
        }
        tokens.refuse_groups(declared, &scopes.groups);
        let is_told = list("CLIENT_IDS").iter().all(|client| is_told(client) || names_one_of(&own, client));
        let takes = |other: &str, client: &str| other == pool && (!is_told || own.iter().any(|own| own == client));
        tokens.refuse_others(matrix, takes, &scopes, kinds.first().copied().unwrap_or(TokenKind::Access));
        Some(tokens)
    }

    /// Takes tokens of a client: one of each scope that is enough, or one of each kind where none is asked for.
    fn take(&mut self, pool: &str, client: &str, scopes: &Scopes, kinds: &[TokenKind]) {
        let groups: Vec<Option<&String>> = match scopes.groups.is_empty() {
            true => vec![None],
            false => scopes.groups.iter().filter(|group| is_known(group)).map(Some).collect(),
        };
        let is_first = self.good.is_empty();
        for (at, group) in groups.into_iter().enumerate() {
            let in_group = Token {
                groups: group.into_iter().cloned().collect(),
                ..token(pool, client, kinds.first().copied().unwrap_or(TokenKind::Access))
            };
            let suffix = group.map(|group| format!(", in group {group}")).unwrap_or_default();
            if scopes.asked.is_empty() {
                for kind in kinds {
                    let name = if *kind == TokenKind::Id { "an ID token" } else { "an access token" };
                    let words = format!("{name} of client {client}{suffix}");
                    self.good.push((Token { kind: *kind, ..in_group.clone() }, words));
                }
                continue;
            }
            // One client shows that each scope is enough; the others need no more than one.
            let most = if is_first && at == 0 { usize::MAX } else { 1 };
            for scope in scopes.asked.iter().filter(|scope| is_known(scope)).take(most) {
                let words = format!("an access token of client {client} with scope {scope}{suffix}");
                let scoped = Token { kind: TokenKind::Access, scopes: vec![scope.clone()], ..in_group.clone() };
                self.good.push((scoped, words));
            }
        }
        if self.base.is_none() {
            self.base = self.good.first().map(|(token, _)| {
                let mut base = token.clone();
                // A token lacks scopes where it has none of those that are enough.
                base.scopes = scopes.asked.iter().filter(|scope| is_known(scope)).cloned().collect();
                base
            });
            self.wants_access = !scopes.asked.is_empty();
        }
    }

    /// Users outside of every group that is enough.
    fn refuse_groups(&mut self, pool: &Pool, groups: &BTreeSet<String>) {
        let Some(base) = self.base.clone().filter(|_| !groups.is_empty()) else { return };
        let outside: Vec<String> = groups.iter().cloned().collect();
        let why = || "the function lets pass only who is in one of the groups that it names".to_owned();
        let alone = Token { groups: Vec::new(), outside: outside.clone(), ..base.clone() };
        self.bad.push((alone, "a token of a user in no group".to_owned(), why()));
        if let Some(other) = pool.groups.iter().find(|group| is_known(group) && !groups.contains(*group)) {
            let elsewhere = Token { groups: vec![other.clone()], outside, ..base };
            self.bad.push((elsewhere, format!("a token of a user in group {other}"), why()));
        }
    }

    /// Tokens of every other client of the stack's pools, of the kind that passes or would.
    fn refuse_others(&mut self, matrix: &Matrix, takes: impl Fn(&str, &str) -> bool, scopes: &Scopes, kind: TokenKind) {
        let kind = self.base.as_ref().map_or(kind, |base| base.kind);
        for (pool, client) in clients(matrix).filter(|(pool, client)| !takes(pool, client)) {
            let mut other = token(pool, client, kind);
            // Scopes are a pool's own: those of another one are as good as none.
            if let Some(base) = self.base.as_ref().filter(|base| base.pool == pool) {
                other.scopes = scopes.asked.iter().filter(|scope| is_known(scope)).cloned().collect();
                other.groups.clone_from(&base.groups);
            }
            let words = format!("a token of client {client} of user pool {pool}");
            self.bad.push((other, words, "the guard is for other clients".to_owned()));
        }
    }
}

/// What a token needs besides: one of each set that is not empty.
struct Scopes {
    asked: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl Scopes {
    fn of(asked: &BTreeSet<String>) -> Self {
        Self { asked: asked.clone(), groups: BTreeSet::new() }
    }
}

fn token(pool: &str, client: &str, kind: TokenKind) -> Token {
    let (scopes, groups, outside) = (Vec::new(), Vec::new(), Vec::new());
    Token { pool: pool.to_owned(), client: client.to_owned(), kind, scopes, groups, outside }
}

/// The pool of the stack that an expression names: its id, its ARN or its issuer.
fn named<'a>(matrix: &'a Matrix, expression: &str) -> Option<(&'a str, &'a Pool)> {
    let named = references(expression);
    let found = matrix.pools.iter().find(|(id, _)| *id == expression || named.contains(id.as_str()));
    found.map(|(id, pool)| (id.as_str(), pool))
}

fn clients_named(pool: &Pool, audiences: &BTreeSet<String>) -> Vec<String> {
    let is_named = |id: &&String| audiences.iter().any(|audience| references(audience).contains(id.as_str()));
    pool.clients.keys().filter(is_named).cloned().collect()
}

/// Whether a text is all that the deployment will have there, up to the account and region.
fn is_told(text: &str) -> bool {
    let is_hidden = text == "****" || text.contains("${Fn::");
    !is_hidden && references(text).iter().all(|name| name.starts_with("AWS::"))
}

fn names_one_of(clients: &[String], expression: &str) -> bool {
    let named = references(expression);
    clients.iter().any(|client| named.contains(client.as_str()))
}

/// Every client of the stack with its pool.
fn clients(matrix: &Matrix) -> impl Iterator<Item = (&str, &str)> {
    let own = matrix.pools.iter().filter(|(id, _)| !id.contains("${"));
    own.flat_map(|(id, pool)| pool.clients.keys().map(move |client| (id.as_str(), client.as_str())))
}
