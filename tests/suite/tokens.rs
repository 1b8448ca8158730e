//! Bad tokens: who makes them, for whom, and that every door keeps them out while it lets the good one in.

mod world;

use std::fs;
use std::time::SystemTime;

use aws_sdk_cognitoidentityprovider::types::MessageActionType;
use cognito_authorizer::{Config, KeySet, Refusal, verify};
use serde_json::{Value, json};
use stackgen::access::flaw::{Flaw, Guard};
use stackgen::deploy::tokens::{Kind, Wanted, claims};

use crate::project::{Project, told};
use crate::support::Key;
use world::{ALICE, Doors, Signer};

/// The doors of the gateways.
const GATEWAYS: [Guard; 4] = [Guard::Jwt, Guard::ScopedJwt, Guard::Cognito, Guard::ScopedCognito];

/// The token that a guard wants.
fn due(guard: Guard) -> Kind {
    if guard == Guard::Cognito { Kind::Id } else { Kind::Access }
}

/// Whether there is such a token at all.
fn exists(flaw: Flaw, kind: Kind) -> bool {
    flaw != Flaw::MissingScope || kind == Kind::Access
}

#[tokio::test(flavor = "multi_thread")]
async fn every_gateway_keeps_out_what_is_wrong_in_one_thing() {
    let doors = Doors::stand_up().await;
    let read = ["notes/read".to_owned()];
    for guard in GATEWAYS {
        let kind = due(guard);
        let scopes: &[String] = if kind == Kind::Access { &read } else { &[] };
        let wanted = doors.wanted(kind, scopes);
        let good = doors.mint.good(&wanted).await.expect("a token");
        assert_eq!(doors.knock(guard, &good).await.status, 200, "the good one opens {guard:?}");
        for flaw in Flaw::ALL.into_iter().filter(|flaw| exists(*flaw, kind)) {
            let token = doors.mint.flawed(&wanted, flaw).await.expect("a token");
            let answer = doors.knock(guard, &token).await;
            assert_eq!(answer.status, flaw.answer(guard).unwrap_or(200), "{flaw} before {guard:?}: {}", answer.body);
            match (guard, answer.status) {
                (_, 200) => {}
                (Guard::Jwt | Guard::ScopedJwt, status) => answer.is_refusal_of_an_http_api(status, flaw),
                _ => answer.is_refusal_of_a_rest_api(flaw),
            }
        }
    }
    doors.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifying_function_finds_the_one_thing_that_is_wrong() {
    let doors = Doors::stand_up().await;
    let read = ["notes/read".to_owned()];
    let wanted = doors.wanted(Kind::Access, &read);
    let good = doors.mint.good(&wanted).await.expect("a token");
    let keys = doors.key_set().await;
    let keys = KeySet::read(keys.to_string().as_bytes()).expect("a key set");
    for (guard, scopes) in [(Guard::Function, ""), (Guard::ScopedFunction, "notes/read")] {
        let config = Config::read(|name| match name {
            "USER_POOL_ID" => Some(doors.pool.clone()),
            "CLIENT_IDS" => Some(doors.client.clone()),
            "REQUIRED_SCOPES" => Some(scopes.to_owned()),
            _ => None,
        });
        let config = config.expect("the environment describes one");
        let judged = |token: &str| verify(token, &keys, &config, SystemTime::now());
        assert!(judged(&good).is_ok(), "{:?}", judged(&good));
        for flaw in Flaw::ALL {
            let token = doors.mint.flawed(&wanted, flaw).await.expect("a token");
            let refusal = judged(&token).err();
            assert_eq!(refusal, found(flaw, &token).filter(|_| flaw.answer(guard).is_some()), "{flaw} for {guard:?}");
            let status = refusal.map(|refusal| if matches!(refusal, Refusal::Scope(_)) { 403 } else { 401 });
            assert_eq!(status, flaw.answer(guard), "{flaw} for {guard:?}");
        }
    }
    doors.world.end().await;
}

/// What a verifier finds that looks at one thing after the other.
fn found(flaw: Flaw, token: &str) -> Option<Refusal> {
    Some(match flaw {
        Flaw::Expired => Refusal::Expired,
        Flaw::NotYetValid => Refusal::Early,
        Flaw::OtherIssuer => Refusal::Issuer,
        Flaw::OtherAudience => Refusal::Client,
        Flaw::WrongKey | Flaw::Tampered => Refusal::Signature,
        Flaw::AlgNone | Flaw::AlgHs256 => Refusal::Algorithm,
        Flaw::NoKid => Refusal::Form,
        Flaw::MissingScope => {
            let claims = claims(token).expect("it has claims");
            Refusal::Scope(claims["sub"].as_str().expect("it is about somebody").to_owned())
        }
        Flaw::Id => Refusal::Use,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_token_says_what_a_sign_in_would() {
    let doors = Doors::stand_up().await;
    let (id, access) = doors.sign_in().await;
    for (kind, real) in [(Kind::Id, id), (Kind::Access, access)] {
        let wanted = doors.wanted(kind, &[]);
        let strip = |token: &str| {
            let mut claims = claims(token).expect("it has claims");
            // Each token has its own, and a second may have gone by.
            for own in ["jti", "event_id", "origin_jti", "iat", "exp", "auth_time"] {
                assert!(claims.remove(own).is_some(), "{own}");
            }
            claims
        };
        assert_eq!(strip(&doors.mint.good(&wanted).await.expect("a token")), strip(&real));
        let expired = doors.mint.flawed(&wanted, Flaw::Expired).await.expect("a token");
        assert_eq!(strip(&expired), strip(&real), "only its times are others");
    }
    let others = ["notes/read".to_owned()];
    let missing = doors.mint.flawed(&doors.wanted(Kind::Access, &others), Flaw::MissingScope).await.expect("a token");
    let scopes = claims(&missing).expect("it has claims")["scope"].clone();
    assert_eq!(scopes, "aws.cognito.signin.user.admin email notes/write openid phone profile");
    let none = doors.mint.flawed(&doors.wanted(Kind::Access, &[]), Flaw::MissingScope).await.expect("a token");
    assert_eq!(claims(&none).expect("it has claims")["scope"], "");
    doors.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minting_leaves_nothing_behind() {
    let doors = Doors::stand_up().await;
    let wanted = doors.wanted(Kind::Access, &[]);
    doors.mint.good(&wanted).await.expect("a token: the pool has its keys now");
    let before = doors.state();
    for flaw in Flaw::ALL {
        doors.mint.flawed(&wanted, flaw).await.expect("a token");
    }
    let good = doors.mint.good(&wanted).await.expect("a token");
    assert!(doors.state() == before, "the account is as it was");
    let refused = doors.cognito().get_user().access_token(good).send().await.expect_err("nobody signed in for it");
    let refused = refused.into_service_error();
    assert!(refused.is_not_authorized_exception(), "{refused}");
    doors.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_account_itself_can_mint() {
    let doors = Doors::stand_up().await;
    let root = Signer::of(&doors.world.key());
    assert_eq!(doors.ask(&root, &[]).await.0, 200);
    let refused = async |signer: &Signer, headers: &[(&str, &str)]| {
        let (status, answer) = doors.ask(signer, headers).await;
        assert!(answer.get("Token").is_none(), "{answer}");
        (status, answer["__type"].as_str().unwrap_or_default().to_owned())
    };
    let is = |code: &str| (400, code.to_owned());
    assert_eq!(refused(&Signer::Nobody, &[]).await, is("MissingAuthenticationTokenException"));
    // What a page of this cloud's own origin could send, and the proof with which mail is read.
    let token = [("x-stackgen-token", "0"), ("origin", doors.world.cloud.endpoint.as_str())];
    assert_eq!(refused(&Signer::Nobody, &token).await, is("MissingAuthenticationTokenException"));
    let wrong = Key { secret: "wrong".to_owned(), ..doors.world.key() };
    assert_eq!(refused(&Signer::of(&wrong), &[]).await, is("InvalidSignatureException"));
    for action in ["*", "stackgen:*", "stackgen:MintToken", "cognito-idp:*"] {
        let role = doors.world.cloud.session("mighty", action, "*");
        assert_eq!(refused(&Signer::of(&role), &[]).await, is("AccessDeniedException"), "{action}");
    }
    let (status, _) = refused(&root, &[("host", "evil.example")]).await;
    assert_eq!(status, 403, "another name of this machine");
    assert_eq!(refused(&root.in_scope("cognito-idp"), &[]).await.0, 501, "it is no operation of Cognito");
    doors.world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_somebody_who_could_sign_in() {
    let doors = Doors::stand_up().await;
    let cognito = doors.cognito();
    let refused = async |wanted: Wanted<'_>| {
        let error = doors.mint.good(&wanted).await.expect_err("there is no such token");
        miette::Diagnostic::code(&error).map(|code| code.to_string()).unwrap_or_default()
    };
    let wanted = doors.wanted(Kind::Access, &[]);
    assert_eq!(refused(Wanted { user: "nobody", ..wanted }).await, "stackgen::user::unknown");
    assert_eq!(refused(Wanted { client: "another", ..wanted }).await, "stackgen::user::gone");
    assert_eq!(refused(Wanted { pool: "us-east-1_another00", ..wanted }).await, "stackgen::user::gone");
    let scopes = ["notes/delete".to_owned()];
    assert_eq!(refused(Wanted { scopes: &scopes, ..wanted }).await, "stackgen::aws");
    assert_eq!(refused(Wanted { kind: Kind::Id, scopes: &scopes, ..wanted }).await, "stackgen::token::no_scopes");
    let disable = cognito.admin_disable_user().user_pool_id(&doors.pool).username(ALICE);
    disable.send().await.expect("she is switched off");
    assert_eq!(refused(wanted).await, "stackgen::user::refused");
    let bob = cognito.admin_create_user().user_pool_id(&doors.pool).username("bob");
    bob.message_action(MessageActionType::Suppress).send().await.expect("he is made, with a temporary password");
    assert_eq!(refused(Wanted { user: "bob", ..wanted }).await, "stackgen::user::refused");
    let carol = cognito.sign_up().client_id(&doors.client).username("carol").password("Secret-1234");
    carol.send().await.expect("she signs up");
    assert_eq!(refused(Wanted { user: "carol", ..wanted }).await, "stackgen::user::unconfirmed");
    doors.world.end().await;
}

#[test]
fn a_bad_token_is_made_by_the_local_cloud_only() {
    let project = Project::local();
    for target in [&["--region", "eu-central-1"][..], &["--endpoint-url", "http://192.0.2.1"], &["--profile", "work"]] {
        for flaw in Flaw::ALL.into_iter().filter(|flaw| *flaw != Flaw::Id) {
            let mut command = project.command(&["token", "alice"]);
            command.args(flaw.flag().split(' ')).args(target);
            let refused = told(&command.output().expect("the program runs"));
            assert_eq!(refused.code, Some(2), "{flaw} of {target:?}: {}", refused.said);
            assert_eq!(refused.answer["error"]["code"], "stackgen::token::local_only", "{}", refused.answer);
            let help = refused.answer["error"]["help"].as_str().expect("it says what to do");
            assert!(help.contains("--local"), "{help}");
        }
    }
}

/// What is added to the stack of the main job, so that its route asks for a scope.
const SCOPED: [(&str, &str); 3] = [
    (
        "    removal: destroy\n",
        "    removal: destroy\n    resourceServers: { notes: { scopes: { read: Read notes. } } }\n",
    ),
    ("authorizer: Members }\n", "authorizer: Members, scopes: [notes/read] }\n"),
    (
        "suppressions:\n",
        "suppressions:\n  scope-nobody-gets:\n    resources: [Api.GET /protected]\n    reason: That is what is tried.\n",
    ),
];

#[test]
fn a_call_gets_a_scope_that_its_route_asks_for() {
    let project = Project::local();
    for (old, new) in SCOPED {
        project.edit(old, new);
    }
    project.deploy();
    project.done(&["user", "create", ALICE]);
    let call = || {
        let command = project.command(&["call", "GET", "/protected", "--as", ALICE, "--no-browser"]).output();
        told(&command.expect("the program runs"))
    };
    let scopes = |answer: &Value| answer["body"]["claims"]["scope"].clone();

    let refused = call();
    assert_eq!((refused.code, &refused.answer["error"]["code"]), (Some(2), &json!("stackgen::call::scopes")));
    let message = refused.answer["error"]["message"].as_str().expect("it says why");
    assert!(message.contains("`GET /protected`") && message.contains("`notes/read`"), "{message}");

    let granting = "    allowedOAuthFlows: [implicit]\n    allowedOAuthScopes: [openid, notes/read]\n    \
                    callbackUrls: [http://localhost:8976/callback]\n";
    project.edit("    identityProviders: [COGNITO]\n", &format!("    identityProviders: [COGNITO]\n{granting}"));
    project
        .edit("    userPoolName: my-user-pool\n", "    userPoolName: my-user-pool\n    domain: { prefix: my-notes }\n");
    project.deploy_accepting("user pool Users");
    let minted = call();
    assert_eq!((minted.code, scopes(&minted.answer)), (Some(0), json!("notes/read")), "{}", minted.answer);
    let kept = project.path().join(".stackgen/tokens");
    assert!(!kept.exists(), "nothing is kept of what nobody signed in for");

    project.edit("[implicit]", "[code]");
    project.deploy_accepting("user pool Users");
    let granted = call();
    assert_eq!((granted.code, scopes(&granted.answer)), (Some(0), json!("notes/read")), "{}", granted.answer);
    assert!(!kept.exists(), "it came through the pool's pages");
    let pools: Vec<_> = fs::read_dir(project.path().join(".stackgen/granted/protected-api"))
        .expect("it is kept")
        .map(|pool| pool.expect("it can be read").path())
        .collect();
    assert!(matches!(pools.as_slice(), [pool] if pool.join(ALICE).exists()), "{pools:?}");
}
