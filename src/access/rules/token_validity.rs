//! Tokens are good for as long as Cognito makes them.

use super::{Find, Rule, Verdict};
use crate::model::cognito::UserPoolClient;
use crate::model::duration::Duration;
use crate::model::{Complaint, Stack};

pub(super) const RULE: Rule = Rule {
    id: "token-validity",
    verdict: Verdict::Refused,
    title: "access and ID tokens are good for 5 minutes to 1 day, refresh tokens for 1 hour to 10 years and no shorter",
    why: "Cognito refuses other times, and an access or ID token that would outlive the refresh token it belongs to. A token \
          cannot be called back: until it ends, whoever has it is let in.",
    page: "https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_CreateUserPoolClient.html",
    good: "\
userPoolClients:
  Web: { userPool: Users, accessTokenValidity: 15m, idTokenValidity: 15m, refreshTokenValidity: 30d }
",
    bad: "\
userPoolClients:
  Web: { userPool: Users, accessTokenValidity: 2d, idTokenValidity: 1m, refreshTokenValidity: 30m }
",
    find: Find::Stack(find),
};

const SHORTEST: Duration = Duration::minutes(5);
const LONGEST: Duration = Duration::days(1);
const SHORTEST_STAY: Duration = Duration::hours(1);
const LONGEST_STAY: Duration = Duration::days(3_650);
/// How long access and ID tokens are good where nothing else is said.
const USUAL: Duration = Duration::hours(1);

fn find(stack: &Stack) -> Vec<Complaint> {
    stack.user_pool_clients.iter().flat_map(|(id, client)| of_client(id, client)).collect()
}

fn of_client(id: &str, client: &UserPoolClient) -> Vec<Complaint> {
    let fields = [
        ("accessTokenValidity", client.access_token_validity, SHORTEST, LONGEST),
        ("idTokenValidity", client.id_token_validity, SHORTEST, LONGEST),
        ("refreshTokenValidity", client.refresh_token_validity, SHORTEST_STAY, LONGEST_STAY),
    ];
    let outside = fields.iter().filter_map(|(field, given, least, most)| {
        let (message, help) = outside((*given)?, *least, *most)?;
        Some(Complaint::new(&["userPoolClients", id, field], message, help))
    });
    let complaints: Vec<Complaint> = outside.collect();
    if complaints.is_empty() { outlives(id, client).into_iter().collect() } else { complaints }
}

fn outside(given: Duration, least: Duration, most: Duration) -> Option<(String, String)> {
    match given {
        it if it < least => Some((format!("`{it}` is too short"), format!("the least is `{least}`"))),
        it if it > most => Some((format!("`{it}` is too long"), format!("the most is `{most}`"))),
        _ => None,
    }
}

/// A token that would be good when the user is not signed in any more.
fn outlives(id: &str, client: &UserPoolClient) -> Option<Complaint> {
    let stay = client.refresh_token_validity?;
    let tokens = [("accessTokenValidity", client.access_token_validity), ("idTokenValidity", client.id_token_validity)];
    let (field, longer) = tokens.into_iter().find(|(_, it)| it.unwrap_or(USUAL) > stay)?;
    let longer = longer.unwrap_or(USUAL);
    let message = format!("the token is good for `{longer}`, and the stay of its user ends after `{stay}`");
    Some(Complaint::new(&["userPoolClients", id, field], message, format!("write `{stay}` or less")))
}
