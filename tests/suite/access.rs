//! The access matrix, what changes in it, and the gate: through the program, and held against what the gateway does.

mod oracle;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::deploy::{Project, Told};
use crate::interrupts::at_a_terminal;

/// A stack with a route of each guard, whose function is never invoked.
const STACK: &str = "\
userPools:
  Users: { removal: destroy }
userPoolClients:
  Web: { userPool: Users, authFlows: [userSrp] }
functions:
  Orders: { directory: orders }
httpApis:
  Api:
    name: orders
    cors:
      allowOrigins: ['https://app.example']
      allowMethods: [GET]
      allowHeaders: [Authorization, X-Amz-Content-Sha256, X-Amz-Date, X-Amz-Security-Token]
    authorizers:
      Members: { jwt: { userPool: Users, clients: [Web] } }
      Keys: { iam: {} }
    routes:
      GET /orders: { function: Orders, authorizer: Members }
      GET /report: { function: Orders, authorizer: Keys }
";

/// The stack with one more door.
fn opened() -> String {
    STACK.replace("authorizer: Keys", "public: true").replace("      Keys: { iam: {} }\n", "")
}

fn project() -> Project {
    let project = Project::with(STACK);
    let bootstrap = project.path().join("orders/bootstrap");
    fs::create_dir(project.path().join("orders")).expect("the folder is ours");
    fs::write(&bootstrap, "#!/bin/sh\n").expect("the folder is ours");
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).expect("the file is ours");
    project
}

/// The command with names as they are, spaces and all.
fn deploy_accepting(project: &Project, names: &[&str]) -> Told {
    accepting(project, "deploy --local", names)
}

fn accepting(project: &Project, command: &str, names: &[&str]) -> Told {
    let mut command = project.command(command);
    for name in names {
        command.args(["--accept-weakening", name]);
    }
    Told::of(&command.output().expect("the program runs"))
}

#[test]
fn the_matrix_is_told_in_four_forms() {
    let project = project();
    let text = project.run("access");
    text.ended(0).says("GET /orders").says("Members (JWT)").says("user pool Users").says("IAM");
    let markdown = project.run("access notes --output markdown");
    markdown.ended(0).says("| GET /report | IAM |").says("# Access to notes");
    assert_eq!(markdown.stdout, project.run("access notes --output markdown").stdout, "it can be committed");
    let html = project.run("access --output html");
    html.ended(0).says("<th scope=\"row\">GET /orders</th>");
    assert!(!html.stdout.contains("<script"), "{}", html.stdout);
    let json = project.json("access");
    let guard = &json["notes"]["apis"]["Api"]["routes"]["GET /orders"]["guard"];
    assert_eq!((&guard["kind"], &guard["authorizer"]), (&Value::from("jwt"), &Value::from("Members")));
    project.run("list --output html").ended(2).says("only `stackgen access` writes Markdown and HTML");
    project.run("access --deployed --local").ended(1).says("is not deployed");
}

#[test]
fn a_deployment_that_weakens_access_stops() {
    let project = project();
    project.run("diff --local").ended(0).says("not deployed yet");
    project.run("deploy --local").ended(0);
    project.run("diff --local --fail-on-weakening").ended(0).says("nothing changes");

    project.write(&opened().replace("'https://app.example'", "'*'"));
    project.run("diff --local").ended(0).says("GET /report becomes PUBLIC").says("CORS now admits every origin");
    project.run("diff --local --fail-on-weakening").ended(3);
    let json = project.json("diff --local");
    let access = json["stacks"][0]["access"].as_array().expect("a list");
    let of = |change: &Value| (change["verdict"].clone(), change["name"].clone());
    let told: Vec<_> = access.iter().map(of).collect();
    let weakened = Value::from("weakened");
    assert_eq!(told, [(weakened.clone(), "GET /report".into()), (weakened, "cors of Api".into())]);

    let stopped = project.run("deploy --local --yes");
    stopped.ended(3).says("GET /report becomes PUBLIC");
    stopped.says("--accept-weakening 'GET /report'").says("--accept-weakening 'cors of Api'");
    let half = deploy_accepting(&project, &["GET /report"]);
    half.ended(3).says("--accept-weakening 'cors of Api'");
    assert!(!half.stderr.contains("--accept-weakening 'GET /report'"), "{}", half.stderr);
    let deployed = project.run("access --deployed --local");
    deployed.ended(0).says("IAM");
    assert!(!deployed.stdout.contains("PUBLIC"), "nothing was changed: {}", deployed.stdout);

    let whole = deploy_accepting(&project, &["GET /report", "cors of Api", "x"]);
    whole.ended(0).says("`--accept-weakening x` accepts nothing");
    project.run("access --deployed --local").ended(0).says("PUBLIC");
    project.write(STACK);
    project.run("deploy --local").ended(0).says("strengthened");
}

#[test]
fn a_terminal_is_asked_for_the_name() {
    let project = project();
    project.run("deploy --local").ended(0);
    project.write(&opened());
    let question = "Type its name to accept that:";
    let refused = at_a_terminal(&project, "deploy --local --yes", &[(question, "yes\r")]);
    refused.ended(3).says("access would be weakened at `GET /report`");
    at_a_terminal(&project, "deploy --local", &[(question, "GET /report\r")]).ended(0).says("was changed");
}

#[test]
fn no_stack_is_deployed_when_one_of_them_would_be_weakened() {
    let project = project();
    let first = project.path().join("stacks/first.yaml");
    fs::write(&first, "secrets:\n  One: {}\n").expect("the folder is ours");
    project.run("deploy notes --local").ended(0);
    project.write(&opened());
    let stopped = project.run("deploy --all --local");
    stopped.ended(3).says("stack `notes` was not deployed").says("--accept-weakening 'notes:GET /report'");
    accepting(&project, "deploy --all --local", &["GET /report"]).ended(3);
    accepting(&project, "deploy --all --local", &["first:GET /report"]).ended(3);
    project.run("outputs first --local").ended(1);
    accepting(&project, "deploy --all --local", &["notes:GET /report"]).ended(0);
}

#[test]
fn an_update_that_the_rules_refuse_is_told_beforehand() {
    let project = project();
    project.run("deploy --local").ended(0);
    project.write(
        &STACK.replace("Users: { removal: destroy }", "Users: { removal: destroy, usernameAttributes: [email] }"),
    );
    let diff = project.run("diff --local");
    diff.ended(0).says("changes that the rules refuse").says("user-pool-changed");
    let refused = &project.json("diff --local")["stacks"][0]["refused"];
    assert_eq!((&refused[0]["rule"], &refused[0]["resource"]), (&"user-pool-changed".into(), &"Users".into()));
    project.run("deploy --local").ended(2).says("user-pool-changed");
    project.write(STACK);
    assert_eq!(project.json("diff --local")["stacks"][0]["refused"], Value::Array(Vec::new()));
}
