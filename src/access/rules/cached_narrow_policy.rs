//! A kept policy covers every route that it will be asked about.

use std::collections::BTreeMap;

use super::{Find, Rule, Sources, Verdict};
use crate::access::doors::{Decider, Guard, doors, guards};
use crate::model::apigatewayv2::LambdaAuthorizer;
use crate::model::{Complaint, Stack};

/// The identity sources by which an HTTP API keeps the answers for each route apart.
const ROUTES: [&str; 2] = ["$context.routeKey", "$context.path"];

pub(super) const RULE: Rule = Rule {
    id: "cached-narrow-policy",
    verdict: Verdict::Doubtful,
    title: "an authorizer whose policies are kept for several routes answers for all of them, or for each one apart",
    why: "An authorizer's policy is kept for the whole API. One that names only the route that was asked for makes the next \
          route answer 403, for as long as it is kept. An HTTP API can do without policies: a simple answer holds for all \
          routes, and `$context.routeKey` as an identity source keeps the answers for each route apart. On a REST API the \
          policy has to cover the whole stage, as those of the authorizers that come with stackgen do: a function is told \
          of whose source puts the ARN that it was asked for into a policy and writes no `*`.",
    page: "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html",
    good: "\
httpApis:
  Api:
    authorizers:
      Keys:
        lambda:
          function: Decide
          identitySources: [$request.header.X-Key, $context.routeKey]
          authorizerResultTtlInSeconds: 60
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
      PUT /notes: { function: Notes, authorizer: Keys }
",
    bad: "\
httpApis:
  Api:
    authorizers:
      Keys:
        lambda:
          function: Decide
          identitySources: [$request.header.X-Key]
          authorizerResultTtlInSeconds: 60
    routes:
      GET /notes: { function: Notes, authorizer: Keys }
      PUT /notes: { function: Notes, authorizer: Keys }
",
    find: Find::Code(find),
};

fn find(stack: &Stack, sources: &Sources<'_>) -> Vec<Complaint> {
    let mut uses: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let named = doors(stack).filter_map(|door| Some((door.api, door.authorizer?)));
    named.for_each(|it| *uses.entry(it).or_default() += 1);
    let shared = guards(stack).filter_map(|guard| {
        let routes = *uses.get(&(guard.api, guard.name))?;
        (routes > 1 && guard.decider.lifetime().is_some_and(|seconds| seconds > 0)).then_some((guard, routes))
    });
    shared.filter_map(|(guard, routes)| told(stack, sources, &guard, routes)).collect()
}

fn told(stack: &Stack, sources: &Sources<'_>, guard: &Guard<'_>, routes: usize) -> Option<Complaint> {
    let name = guard.name;
    let at = |message: String, help: &str| Some(guard.at(&["authorizerResultTtlInSeconds"], message, help).at_key());
    match guard.decider {
        Decider::Lambda(lambda) if keeps_policies(lambda) => at(
            format!("a policy is kept for all {routes} routes of `{name}`, whichever it was asked for"),
            "add `enableSimpleResponses: true` where the answer is the same for all, or `$context.routeKey` to \
             `identitySources`",
        ),
        Decider::Token(_) | Decider::Request(_) => {
            let function = guard.decider.function()?.id()?;
            let folder = stack.functions.get(function)?.crate_path.as_ref()?;
            let narrow = code::is_narrow(&sources(folder)?);
            let message = format!("`{folder}` seems to answer for one route, and `{name}` keeps that for {routes}");
            let help =
                "let its policy cover the stage: `arn:...:API/STAGE/*`; or write `authorizerResultTtlInSeconds: 0`";
            narrow.then(|| at(message, help)).flatten()
        }
        _ => None,
    }
}

fn keeps_policies(lambda: &LambdaAuthorizer) -> bool {
    !lambda.enable_simple_responses && !lambda.identity_sources.iter().any(|source| ROUTES.contains(&source.as_str()))
}

/// What the source of an authorizer shows of its policies.
mod code {
    /// How the ARN of what is called comes to an authorizer.
    const ASKED: [&str; 4] = ["method_arn", "methodArn", "route_arn", "routeArn"];

    /// What policies are made of.
    const POLICY: [&str; 3] = ["policy_document", "policyDocument", "execute-api:Invoke"];

    /// Whether a source puts the ARN that it was asked for into a policy and can have made no wildcard of it: to cover more,
    /// it would have to write a `*` somewhere, in a text or as a character.
    pub(super) fn is_narrow(source: &str) -> bool {
        let (code, literals) = apart(source);
        let has = |words: &[&str]| words.iter().any(|word| code.contains(word) || literals.contains(word));
        has(&ASKED) && has(&POLICY) && !literals.contains('*')
    }

    /// The code of a Rust source and the insides of its literals, without comments.
    fn apart(source: &str) -> (String, String) {
        let (mut code, mut literals) = (String::new(), String::new());
        let mut rest = source;
        while let Some(first) = rest.chars().next() {
            let inside = match first {
                '/' if rest.starts_with("//") => Some(rest.find('\n').unwrap_or(rest.len())),
                '/' if rest.starts_with("/*") => Some(rest.find("*/").map_or(rest.len(), |end| end + 2)),
                '"' => {
                    let end = text_end(rest);
                    literals.push_str(rest.get(..end).unwrap_or(rest));
                    Some(end)
                }
                '\'' if rest.starts_with("'*'") => {
                    literals.push('*');
                    Some(3)
                }
                '\'' if rest.starts_with("'\"'") => Some(3),
                _ => None,
            };
            let step = inside.unwrap_or(first.len_utf8());
            if inside.is_none() {
                code.push(first);
            }
            rest = rest.get(step..).unwrap_or_default();
        }
        (code, literals)
    }

    /// Behind the closing quotation mark of a text.
    fn text_end(text: &str) -> usize {
        let mut escaped = false;
        for (at, c) in text.char_indices().skip(1) {
            match c {
                '"' if !escaped => return at + 1,
                _ => escaped = c == '\\' && !escaped,
            }
        }
        text.len()
    }

    #[cfg(test)]
    mod tests {
        use super::is_narrow;

        const POLICY: &str = r#"let action = "execute-api:Invoke"; let resource = "#;

        #[test]
        fn the_arn_that_was_asked_for_covers_one_route() {
            assert!(is_narrow(&format!("{POLICY} event.method_arn.clone(); // not *")));
            assert!(is_narrow(&format!("{POLICY} *event.method_arn; let quote = '\"'; /* \"*\" */")));
        }

        #[test]
        fn a_star_in_a_text_covers_more() {
            assert!(!is_narrow(&format!("{POLICY} format!(\"{{stage}}/*\", stage = stage_of(event.method_arn));")));
            assert!(!is_narrow(&format!("{POLICY} widened(event.method_arn, '*');")));
            assert!(!is_narrow(&format!("{POLICY} \"a \\\" and */*\"; event.method_arn;")));
        }

        #[test]
        fn who_makes_no_policy_is_left_alone() {
            assert!(!is_narrow("log(event.method_arn)"));
            assert!(!is_narrow(&format!("{POLICY} everything()")));
            assert!(!is_narrow("\""));
        }
    }
}
