//! The ways in which a token can be bad, and what must be answered to each.
//!
//! A flawed token differs from a good one in one thing only. So whoever lets it pass does not look at that thing.

use std::fmt;

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// It was good once.
    Expired,
    /// Its `nbf` lies ahead.
    NotYetValid,
    /// Its `iss` names another pool, though its own pool signed it.
    OtherIssuer,
    /// Its `aud`, or the `client_id` of an access token, names another client.
    OtherAudience,
    /// It is signed by a key that nobody knows, under the name of the pool's.
    WrongKey,
    /// It says that it is not signed, and is not (RFC 7519, section 6).
    AlgNone,
    /// It is signed with HMAC, and the secret is the pool's public key (RFC 8725, section 2.1).
    AlgHs256,
    /// It does not say which key signed it.
    NoKid,
    /// It was changed after it was signed.
    Tampered,
    /// It has every scope of the pool but those that are asked for.
    MissingScope,
    /// It is an ID token where an access token is due.
    Id,
}

/// What looks at a token before the function behind a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// A JWT authorizer of an HTTP API, before a route that asks for no scope.
    /// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html>.
    Jwt,
    /// The same, before a route that asks for scopes.
    ScopedJwt,
    /// A Cognito authorizer of a REST API, before a method that asks for no scope. It wants ID tokens.
    /// See <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-integrate-with-cognito.html>.
    Cognito,
    /// The same, before a method that asks for scopes. It wants access tokens.
    ScopedCognito,
    /// A function that verifies access tokens as `functions/cognito-authorizer` does, behind a Lambda authorizer.
    Function,
    /// The same, where the function asks for scopes.
    ScopedFunction,
}

impl Flaw {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Expired,
        Self::NotYetValid,
        Self::OtherIssuer,
        Self::OtherAudience,
        Self::WrongKey,
        Self::AlgNone,
        Self::AlgHs256,
        Self::NoKid,
        Self::Tampered,
        Self::MissingScope,
        Self::Id,
    ];

    /// Its name: one word, or several with dashes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::OtherIssuer => "other-issuer",
            Self::OtherAudience => "other-audience",
            Self::WrongKey => "wrong-key",
            Self::AlgNone => "alg-none",
            Self::AlgHs256 => "alg-hs256",
            Self::NoKid => "no-kid",
            Self::Tampered => "tampered",
            Self::MissingScope => "missing-scope",
            Self::Id => "id",
        }
    }

    /// The flag of `stackgen token` that asks for it.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Expired => "--expired",
            Self::NotYetValid => "--not-yet-valid",
            Self::OtherIssuer => "--other-issuer",
            Self::OtherAudience => "--other-audience",
            Self::WrongKey => "--wrong-key",
            Self::AlgNone => "--alg none",
            Self::AlgHs256 => "--alg hs256",
            Self::NoKid => "--no-kid",
            Self::Tampered => "--tampered",
            Self::MissingScope => "--missing-scope",
            Self::Id => "--id",
        }
    }

    /// What is wrong with such a token, as the end of the sentence `the token ...`.
    #[must_use]
    pub const fn wrong(self) -> &'static str {
        match self {
            Self::Expired => "ended an hour ago",
            Self::NotYetValid => "begins in an hour",
            Self::OtherIssuer => "names another pool as its issuer",
            Self::OtherAudience => "is for another client",
            Self::WrongKey => "is signed by a stranger's key under the name of the pool's",
            Self::AlgNone => "says that it needs no signature, and has none",
            Self::AlgHs256 => "is signed with the pool's public key as the secret of an HMAC",
            Self::NoKid => "does not say which key signed it",
            Self::Tampered => "was changed after it was signed",
            Self::MissingScope => "lacks the scopes that are asked for",
            Self::Id => "is an ID token, where an access token is due",
        }
    }

    /// The status that must be answered to a token that is good but for this flaw. None where the flaw is nothing to
    /// that guard, so that the call reaches the function behind the route:
    ///
    /// - a JWT authorizer does not ask which kind of token it is given;
    /// - a Cognito authorizer takes tokens of every client of its pools, unless it has an
    ///   `identityValidationExpression`;
    /// - where no scope is asked for, none is missing.
    #[must_use]
    pub const fn answer(self, guard: Guard) -> Option<u16> {
        match (self, guard) {
            (Self::MissingScope, Guard::Jwt | Guard::Cognito | Guard::Function)
            | (Self::OtherAudience, Guard::Cognito | Guard::ScopedCognito)
            | (Self::Id, Guard::Jwt | Guard::Cognito) => None,
            (Self::MissingScope, Guard::ScopedJwt | Guard::ScopedFunction) | (Self::Id, Guard::ScopedJwt) => Some(403),
            _ => Some(401),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Flaw, Guard};

    #[test]
    fn each_flaw_has_a_name_and_a_flag_of_its_own() {
        let distinct = |of: fn(Flaw) -> &'static str| Flaw::ALL.into_iter().map(of).collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(Flaw::name), Flaw::ALL.len());
        assert_eq!(distinct(Flaw::wrong), Flaw::ALL.len());
        for flaw in Flaw::ALL {
            assert_eq!(flaw.flag().trim_start_matches("--").replace(' ', "-"), flaw.name());
        }
    }

    #[test]
    fn a_forged_token_opens_nothing() {
        let harmless = [Flaw::OtherAudience, Flaw::MissingScope, Flaw::Id];
        let guards = [
            Guard::Jwt,
            Guard::ScopedJwt,
            Guard::Cognito,
            Guard::ScopedCognito,
            Guard::Function,
            Guard::ScopedFunction,
        ];
        for guard in guards {
            for flaw in Flaw::ALL.into_iter().filter(|flaw| !harmless.contains(flaw)) {
                assert_eq!(flaw.answer(guard), Some(401), "{flaw} before {guard:?}");
            }
        }
        assert_eq!(Flaw::MissingScope.answer(Guard::ScopedJwt), Some(403));
        assert_eq!(Flaw::MissingScope.answer(Guard::ScopedCognito), Some(401), "a REST API knows no 403 here");
    }
}
