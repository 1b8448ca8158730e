//! The addresses of functions and their aliases.

use std::fs;

use super::{assert_proved, count, put_echo, verify, with_outcome};
use crate::project::Project;

/// A function whose alias has an address for callers who sign.
const ALIAS: &str = "\
functions:
  Echo: { directory: echo, environment: { BEHAVIOUR: echo_event } }

resources:
  Version: { type: AWS::Lambda::Version, properties: { FunctionName: { Ref: Echo } } }
  Live:
    type: AWS::Lambda::Alias
    properties: { FunctionName: { Ref: Echo }, FunctionVersion: { \"Fn::GetAtt\": [Version, Version] }, Name: live }
  LiveUrl:
    type: AWS::Lambda::Url
    dependsOn: [Live]
    properties: { TargetFunctionArn: { Ref: Echo }, Qualifier: live, AuthType: AWS_IAM }
";

#[test]
fn the_declared_address_of_an_alias_is_tried() {
    let project = Project::local_with("protected-api");
    put_echo(&project);
    fs::write(project.stack_file(), ALIAS).expect("it is writable");
    project.deploy();
    let verified = verify(&project, &[]);
    assert_proved(&verified);
    let proved = with_outcome(&verified, "proved");
    assert!(proved.iter().all(|call| call.starts_with("address of alias live of function Echo: ")), "{proved:?}");
    assert_eq!((count(&verified, "passed"), count(&verified, "leftOut")), (1, 0), "{}", verified.answer["leftOut"]);
    assert!(count(&verified, "refused") >= 5, "{proved:?}");

    let text = fs::read_to_string(project.stack_file()).expect("it is there");
    let without = text.split_once("  LiveUrl:").expect("it is declared").0;
    fs::write(project.stack_file(), without).expect("it is writable");
    let leaked = with_outcome(&verify(&project, &[]), "leaked");
    let [only] = leaked.as_slice() else { panic!("{leaked:?}") };
    assert!(only.starts_with("address of alias live of function Echo: an address of its own"), "{only}");
}
