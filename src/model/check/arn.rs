//! Texts that must be ARNs, wherever they stand, and the names of domains beside them.

use crate::model::cognito::{Domain, UserPool};
use crate::model::lambda::Function;
use crate::model::{Stack, Value};

use super::Complaint;
use super::api::{Api, apis};

pub(super) fn check(stack: &Stack) -> Vec<Complaint> {
    let mut given = Given::default();
    stack.user_pools.iter().for_each(|(id, pool)| given.of_pool(id, pool));
    stack.functions.iter().for_each(|(id, function)| given.of_function(id, function));
    apis(stack).for_each(|api| given.of_api(&api));
    let arns = given.arns.into_iter().filter_map(|(path, value)| wrong_arn(&path, value));
    let resources = given.resources.into_iter().filter_map(|(path, value)| wrong_resource(&path, value));
    let domains = given.domains.into_iter().filter_map(|(path, value)| wrong_domain(&path, value));
    arns.chain(resources).chain(domains).collect()
}

type Place<'a> = (Vec<String>, &'a Value);

/// What a stack gives where an ARN or a domain belongs.
#[derive(Default)]
struct Given<'a> {
    arns: Vec<Place<'a>>,
    /// Resources of policies, of which `*` is one as well.
    resources: Vec<Place<'a>>,
    domains: Vec<Place<'a>>,
}

impl<'a> Given<'a> {
    fn of_pool(&mut self, id: &str, pool: &'a UserPool) {
        let mut arn = |path: &[&str], value: Option<&'a Value>| {
            self.arns.extend(value.map(|value| (way(&["userPools", id], path), value)));
        };
        arn(&["email", "sourceArn"], pool.email.as_ref().and_then(|email| email.source_arn.as_ref()));
        arn(&["sms", "snsCallerArn"], pool.sms.as_ref().and_then(|sms| sms.sns_caller_arn.as_ref()));
        for (name, group) in &pool.groups {
            arn(&["groups", name, "roleArn"], group.role_arn.as_ref());
        }
        if let Some(Domain::Custom(custom)) = &pool.domain {
            arn(&["domain", "custom", "certificateArn"], Some(&custom.certificate_arn));
            self.domains.push((way(&["userPools", id], &["domain", "custom", "name"]), &custom.name));
        }
    }

    fn of_function(&mut self, id: &str, function: &'a Function) {
        let listed = [("managedPolicies", &function.managed_policies), ("layers", &function.layers)];
        for (field, values) in listed {
            let places = values.iter().enumerate();
            self.arns.extend(places.map(|(index, it)| (way(&["functions", id], &[field, &index.to_string()]), it)));
        }
        for (index, statement) in function.policies.iter().enumerate() {
            let path = ["policies", &index.to_string(), "resources"];
            let places = statement.resources.iter().enumerate();
            self.resources.extend(places.map(|(index, it)| {
                let path: Vec<&str> = path.to_vec();
                let index = index.to_string();
                (way(&["functions", id], &[path.as_slice(), &[index.as_str()]].concat()), it)
            }));
        }
    }

    fn of_api(&mut self, api: &Api<'a>) {
        let Some((name, certificate)) = api.domain else { return };
        self.domains.push((way(&[api.section, api.id], &["customDomain", "name"]), name));
        self.arns.push((way(&[api.section, api.id], &["customDomain", "certificateArn"]), certificate));
    }
}

fn way(begin: &[&str], rest: &[&str]) -> Vec<String> {
    begin.iter().chain(rest).map(|step| (*step).to_owned()).collect()
}

/// A text that is known, and is no dynamic reference to another one.
fn known(value: &Value) -> Option<&str> {
    value.text().filter(|text| !text.contains("{{"))
}

fn complaint(path: &[String], message: String, help: &str) -> Option<Complaint> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    Some(Complaint::new(&path, message, help))
}

fn wrong_arn(path: &[String], value: &Value) -> Option<Complaint> {
    let text = known(value).filter(|text| !is_arn(text))?;
    let help = "write it whole: `arn:aws:<service>:<region>:<account>:<resource>`";
    complaint(path, format!("`{}` is not an ARN", text.escape_debug()), help)
}

/// Six parts, of which the region and the account may be empty.
fn is_arn(text: &str) -> bool {
    text.starts_with("arn:") && text.splitn(6, ':').count() == 6 && !text.ends_with(':')
}

/// IAM wants "a valid ARN or `*`": <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
fn wrong_resource(path: &[String], value: &Value) -> Option<Complaint> {
    let text = known(value).filter(|text| !text.starts_with("arn:") && !text.starts_with('*'))?;
    let help = "write the ARN, as in `arn:aws:s3:::my-bucket/*`, or `{ get: Id.Arn }`";
    complaint(path, format!("`{}` is not the ARN of a resource", text.escape_debug()), help)
}

fn wrong_domain(path: &[String], value: &Value) -> Option<Complaint> {
    let text = known(value).filter(|text| !is_domain(text))?;
    let host = url::Url::parse(text).ok().and_then(|url| url.host_str().map(str::to_owned));
    let help = match host.filter(|host| is_domain(host)) {
        Some(host) => format!("write `{host}`"),
        None => "write it as in `api.example.com`".to_owned(),
    };
    complaint(path, format!("`{}` is not the name of a domain", text.escape_debug()), &help)
}

/// Names with several labels, of which the first may be `*`.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let text = text.strip_prefix("*.").unwrap_or(text);
    text.contains('.') && text.len() <= 253 && text.split('.').all(label)
}
