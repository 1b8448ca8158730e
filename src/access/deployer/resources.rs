//! What CloudFormation has to be granted for the resources of a stack.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::grant::{Condition, Grant};
use super::kinds::{ATTACHED, BOUNDED, DELIVERY, FUNCTION, GRANTS_OF_KEYS, KINDS, Kind, Need, On, ROLE, UNBOUNDING};
use super::names::{Names, Unknown};
use super::{Error, Place, Stack, partition};
use crate::template::Resource;

/// The tag that CloudFormation gives to what it makes: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html>.
const STACK_TAG: &str = "aws:ResourceTag/aws:cloudformation:stack-name";

/// Adds the grants of a stack, and the reasons why some are not known.
pub(super) fn grants(stack: Stack<'_>, place: &Place, grants: &mut BTreeSet<Grant>, reasons: &mut Vec<Error>) {
    let names = Names { place, stack };
    for (id, resource) in &stack.template.resources {
        let Some(kind) = KINDS.iter().find(|kind| kind.name == resource.resource_type) else {
            let (stack, kind) = (stack.name.to_owned(), resource.resource_type.clone());
            reasons.push(Error::UnknownType { stack, id: id.clone(), kind });
            continue;
        };
        let mut writer = Writer { names, id, resource, grants };
        reasons.extend(writer.unbounded());
        if let Err(reason) = writer.kind(kind) {
            reasons.push(reason);
        }
    }
    if let Err(reason) = looked_up(names, grants) {
        reasons.push(reason);
    }
}

/// Parameters whose values CloudFormation looks up.
fn looked_up(names: Names<'_>, grants: &mut BTreeSet<Grant>) -> Result<(), Error> {
    for (name, parameter) in &names.stack.template.parameters {
        if parameter.parameter_type.starts_with("AWS::SSM::Parameter::Value<") {
            let found = names.texts(&serde_json::json!({ "Ref": name }));
            let found = found.map_err(|unknown| unknown_name(names.stack.name, name, "Default", unknown))?;
            grants.extend(found.iter().map(|found| parameter_read(names.place, found)));
        }
    }
    Ok(())
}

fn parameter_read(place: &Place, name: &str) -> Grant {
    let Place { region, account, .. } = place;
    let slash = if name.starts_with('/') { "" } else { "/" };
    let resource = format!("arn:{}:ssm:{region}:{account}:parameter{slash}{name}", partition(region));
    Grant { purpose: "ReadParameters", action: "ssm:GetParameters", resource, condition: None, besides: None }
}

/// One resource, and where its grants go.
struct Writer<'a, 'g> {
    names: Names<'a>,
    id: &'a str,
    resource: &'a Resource,
    grants: &'g mut BTreeSet<Grant>,
}

impl Writer<'_, '_> {
    fn kind(&mut self, kind: &Kind) -> Result<(), Error> {
        for need in kind.always {
            self.need("", *need)?;
        }
        for (property, need) in kind.with {
            if at(&self.resource.properties, property).is_some() {
                self.need(property, *need)?;
            }
        }
        let mut references = Vec::new();
        self.resource.properties.values().for_each(|value| dynamic(self.names, value, &mut references));
        for reference in references {
            self.resolve(&reference)?;
        }
        Ok(())
    }

    fn need(&mut self, property: &str, need: Need) -> Result<(), Error> {
        match need {
            Need::Unknown => Err(Error::UnknownProperty {
                stack: self.names.stack.name.to_owned(),
                id: self.id.to_owned(),
                property: property.trim_start_matches('/').replace('/', "."),
            }),
            Need::Pass(purpose, service) => {
                for role in self.roles(property)? {
                    let condition = Some(Condition::equals("iam:PassedToService", service));
                    let action = "iam:PassRole";
                    self.grants.insert(Grant { purpose, action, resource: role, condition, besides: None });
                }
                Ok(())
            }
            Need::Act(DELIVERY, ..) if self.is_web_socket() => Ok(()),
            Need::Act(ATTACHED, actions, on) => {
                for policy in self.listed(property)? {
                    let condition = Condition { operator: "ArnEquals", key: "iam:PolicyARN", value: policy };
                    self.act(property, (ATTACHED, actions, on), Some(condition))?;
                }
                Ok(())
            }
            Need::Act(purpose, actions, on) => self.act(property, (purpose, actions, on), self.condition(on)),
        }
    }

    fn act(
        &mut self,
        property: &str,
        (purpose, actions, on): (&'static str, &'static [&'static str], On),
        condition: Option<Condition>,
    ) -> Result<(), Error> {
        let boundary = self.names.place.boundary.as_ref();
        for resource in self.arns(property, on)? {
            let actions = actions.iter().filter(|action| boundary.is_none() || **action != UNBOUNDING);
            self.grants.extend(actions.map(|action| Grant {
                purpose,
                action,
                resource: resource.clone(),
                condition: condition.clone(),
                besides: besides(action, boundary),
            }));
        }
        Ok(())
    }

    /// Why the roles are not all bounded, when they have to be and this is one that is not.
    fn unbounded(&self) -> Option<Error> {
        let boundary = self.names.place.boundary.as_ref()?;
        // A condition that may leave it out is none that is relied on.
        let value = self.resource.properties.get("PermissionsBoundary");
        let value = value.filter(|value| !value.to_string().contains("AWS::NoValue"));
        let carried = value.and_then(|value| self.names.texts(value).ok()).unwrap_or_default();
        let carries = !carried.is_empty() && carried.iter().all(|text| text == boundary);
        let is_wrong = self.resource.resource_type == "AWS::IAM::Role" && !carries;
        is_wrong.then(|| Error::Unbounded {
            stack: self.names.stack.name.to_owned(),
            id: self.id.to_owned(),
            boundary: boundary.clone(),
        })
    }

    /// What must hold besides where an ARN alone says too little.
    fn condition(&self, on: On) -> Option<Condition> {
        match on {
            On::StackPools | On::StackPath(_) | On::StackSecret => {
                Some(Condition::equals(STACK_TAG, self.names.stack.name))
            }
            On::Key(service) => {
                let region = &self.names.place.region;
                Some(Condition::equals("kms:ViaService", format!("{service}.{region}.amazonaws.com")))
            }
            On::Linked(service) => Some(Condition::equals("iam:AWSServiceName", service)),
            // A bucket of that name in another account is none of ours.
            On::Assets => Some(Condition::equals("aws:ResourceAccount", &self.names.place.account)),
            _ => None,
        }
    }

    fn arns(&self, property: &str, on: On) -> Result<Vec<String>, Error> {
        let Place { region, account, buckets, .. } = self.names.place;
        let aws = partition(region);
        let gateway = |path: &str| format!("arn:{aws}:apigateway:{region}::{path}");
        Ok(match on {
            On::Anything => vec!["*".to_owned()],
            On::Named(..) => self.named(self.id, self.resource, on)?,
            On::Secret | On::StackSecret => {
                let made_up = || Ok(vec![format!("{}-*", self.id)]);
                let named = |value| self.texts("Name", value).map(|names| with_suffix(&names));
                let names = self.resource.properties.get("Name").map_or_else(made_up, named)?;
                names.iter().map(|name| format!("arn:{aws}:secretsmanager:{region}:{account}:secret:{name}")).collect()
            }
            On::LogGroup => {
                let names = self.names.names(self.id, self.resource, "LogGroupName", 512);
                let names = names.map_err(|unknown| self.unknown("LogGroupName", unknown))?;
                let arn = |name: &String| format!("arn:{aws}:logs:{region}:{account}:log-group:{name}");
                // A name that is made up ends with a star already, which takes in what stands behind.
                let both = |name: &String| match name.ends_with('*') {
                    true => vec![arn(name)],
                    false => vec![arn(name), format!("{}:*", arn(name))],
                };
                names.iter().flat_map(both).collect()
            }
            On::Function(property) => self.function(property)?,
            On::StackPools | On::Pools => vec![format!("arn:{aws}:cognito-idp:{region}:{account}:userpool/*")],
            On::Path(path) | On::StackPath(path) => vec![gateway(path)],
            On::Domain => {
                let domains = self.domains()?;
                let paths = domains.iter().flat_map(|one| [one.clone(), format!("{one}/*")]);
                paths.map(|path| gateway(&format!("/domainnames/{path}"))).collect()
            }
            On::Role => self.roles(property)?,
            On::Listed | On::Key(_) => self.listed(property)?,
            On::Linked(service) => vec![format!("arn:{aws}:iam::{account}:role/aws-service-role/{service}/*")],
            On::Assets => buckets.iter().map(|bucket| format!("arn:{aws}:s3:::{bucket}/*")).collect(),
        })
    }

    /// The ARNs that a resource of this stack may get from its name.
    fn named(&self, id: &str, resource: &Resource, on: On) -> Result<Vec<String>, Error> {
        let On::Named(head, property, longest) = on else { return Ok(Vec::new()) };
        let Place { region, account, .. } = self.names.place;
        let names = self.names.names(id, resource, property, longest);
        let names = names.map_err(|unknown| unknown_name(self.names.stack.name, id, property, unknown))?;
        let (service, kind) = head.split_once(':').unwrap_or((head, ""));
        // IAM is the same in all regions.
        let region = if service == "iam" { "" } else { region };
        let aws = partition(&self.names.place.region);
        Ok(names.iter().map(|name| format!("arn:{aws}:{service}:{region}:{account}:{kind}{name}")).collect())
    }

    /// The roles in a property: those of the stack by their names, others by the ARN that is written.
    fn roles(&self, property: &str) -> Result<Vec<String>, Error> {
        let Some(value) = at(&self.resource.properties, property) else { return Ok(Vec::new()) };
        match self.names.referred(value) {
            Some((id, role)) if role.resource_type == "AWS::IAM::Role" => self.named(id, role, ROLE),
            _ => self.arns_in(property, value),
        }
    }

    /// The ARNs in a property that holds one or several.
    fn listed(&self, property: &str) -> Result<Vec<String>, Error> {
        let Some(value) = at(&self.resource.properties, property) else { return Ok(Vec::new()) };
        let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let found: Result<Vec<_>, _> = all.iter().map(|one| self.arns_in(property, one)).collect();
        Ok(found?.concat())
    }

    fn arns_in(&self, property: &str, value: &Value) -> Result<Vec<String>, Error> {
        let texts = self.texts(property, value)?;
        // API Gateway's word for the caller's own credentials, `arn:aws:iam::*:user/*`, is no role.
        let texts: Vec<String> = texts.into_iter().filter(|text| !text.contains(":user/")).collect();
        match texts.iter().all(|text| text.starts_with("arn:")) {
            true => Ok(texts),
            false => Err(self.unknown(property, Unknown::Computed)),
        }
    }

    /// The function that a property names.
    fn function(&self, property: &str) -> Result<Vec<String>, Error> {
        let value = self.resource.properties.get(property).unwrap_or(&Value::Null);
        if let Some((id, function)) = self.names.referred(value) {
            return self.named(id, function, FUNCTION);
        }
        let Place { region, account, .. } = self.names.place;
        let arn = |name: String| match name.starts_with("arn:") {
            true => name,
            false => format!("arn:{}:lambda:{region}:{account}:function:{name}", partition(region)),
        };
        Ok(self.texts(property, value)?.into_iter().map(arn).collect())
    }

    /// The custom domain that the resource is, or is a part of.
    fn domains(&self) -> Result<Vec<String>, Error> {
        let value = self.resource.properties.get("DomainName").unwrap_or(&Value::Null);
        let of_domain = self.names.referred(value).and_then(|(_, domain)| domain.properties.get("DomainName"));
        self.texts("DomainName", of_domain.unwrap_or(value))
    }

    /// Whether the API that the resource is a part of is known to be a WebSocket API.
    fn is_web_socket(&self) -> bool {
        let api = self.resource.properties.get("ApiId").and_then(|api| self.names.referred(api));
        api.is_some_and(|(_, api)| api.properties.get("ProtocolType").is_some_and(|kind| kind == "WEBSOCKET"))
    }

    /// Lets CloudFormation read what a dynamic reference names.
    fn resolve(&mut self, reference: &str) -> Result<(), Error> {
        let Place { region, account, .. } = self.names.place;
        let (service, named) = reference.split_once(':').unwrap_or((reference, ""));
        match service {
            // A part of it comes into being with the stack.
            _ if named.contains("${") => return Err(self.unknown(reference, Unknown::Computed)),
            "ssm" | "ssm-secure" => {
                let name = named.split(':').next().unwrap_or(named);
                self.grants.insert(parameter_read(self.names.place, name));
            }
            "secretsmanager" if named.starts_with("arn:") => {
                let arn: Vec<&str> = named.split(':').take(7).collect();
                self.read_secret(arn.join(":"));
            }
            "secretsmanager" => {
                let name = named.split(':').next().unwrap_or(named);
                let aws = partition(region);
                self.read_secret(format!("arn:{aws}:secretsmanager:{region}:{account}:secret:{name}-??????"));
            }
            _ => return Err(self.unknown(reference, Unknown::Computed)),
        }
        Ok(())
    }

    fn read_secret(&mut self, resource: String) {
        let action = "secretsmanager:GetSecretValue";
        self.grants.insert(Grant { purpose: "ReadSecrets", action, resource, condition: None, besides: None });
    }

    fn texts(&self, property: &str, value: &Value) -> Result<Vec<String>, Error> {
        self.names.texts(value).map_err(|unknown| self.unknown(property, unknown))
    }

    fn unknown(&self, property: &str, unknown: Unknown) -> Error {
        unknown_name(self.names.stack.name, self.id, property, unknown)
    }
}

/// What must hold for an action whatever it is done to.
fn besides(action: &str, boundary: Option<&String>) -> Option<Condition> {
    if GRANTS_OF_KEYS.contains(&action) {
        return Some(Condition::is_true("kms:GrantIsForAWSResource"));
    }
    boundary.filter(|_| BOUNDED.contains(&action)).map(|arn| Condition::equals("iam:PermissionsBoundary", arn))
}

fn unknown_name(stack: &str, id: &str, property: &str, unknown: Unknown) -> Error {
    let help = match unknown {
        Unknown::Parameter(name) => format!("give the parameter that it depends on: `--parameter {name}=VALUE`"),
        Unknown::Computed => "write it as text, or write the permissions of this stack yourself".to_owned(),
    };
    let property = property.trim_start_matches('/').replace('/', ".");
    Error::UnknownName { stack: stack.to_owned(), id: id.to_owned(), property, help }
}

/// A member of the properties, by a JSON pointer.
fn at<'a>(properties: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let (first, rest) = pointer.strip_prefix('/')?.split_once('/').unwrap_or((pointer.get(1..)?, ""));
    let member = properties.get(first)?;
    let pointer = if rest.is_empty() { String::new() } else { format!("/{rest}") };
    member.pointer(&pointer)
}

/// Names of secrets, as they are while a secret is made, and with the six characters that its ARN has then.
fn with_suffix(names: &[String]) -> Vec<String> {
    names.iter().flat_map(|name| [name.clone(), format!("{name}-??????")]).collect()
}

/// The dynamic references in a value, `secretsmanager:NAME:...` each.
fn dynamic(names: Names<'_>, value: &Value, found: &mut Vec<String>) {
    if let Ok(texts) = names.texts(value) {
        for text in &texts {
            let pieces = text.split("{{resolve:").skip(1);
            found.extend(pieces.filter_map(|piece| Some(piece.split_once("}}")?.0.to_owned())));
        }
        return;
    }
    match value {
        Value::Object(members) => members.values().for_each(|member| dynamic(names, member, found)),
        Value::Array(items) => items.iter().for_each(|item| dynamic(names, item, found)),
        _ => (),
    }
}
