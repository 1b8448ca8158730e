//! What a stack declares, and whether a reference finds it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::cognito::{UserPool, UserPoolClient};
use crate::model::value::{ApiUrl, CrossStack};
use crate::model::{Json, Resource, Stack, Value, ids};
use crate::similar::closest;

use super::others::{About, Others};
use super::words::list;

/// What a stack declares: the context in which references are checked.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    name: String,
    known: BTreeMap<String, Known>,
    conditions: BTreeSet<String>,
    stages: BTreeMap<String, BTreeSet<String>>,
    /// Nothing where the stack is looked at alone.
    others: Option<Others>,
    lacks_some: bool,
}

#[derive(Debug, Clone)]
struct Known {
    kind: String,
    name: &'static str,
    attributes: Option<&'static [&'static str]>,
}

impl Known {
    /// HTTP and WebSocket APIs are of one type, which their names tell apart; a raw resource may be either.
    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name == "raw resource"
    }
}

const PSEUDO: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// CloudFormation's functions:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>
const FUNCTIONS: [&str; 19] = [
    "Fn::And",
    "Fn::Base64",
    "Fn::Cidr",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAtt",
    "Fn::GetAZs",
    "Fn::GetStackOutput",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Length",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Fn::ToJsonString",
    "Fn::Transform",
];

impl Declared {
    /// What a stack that is deployed as `name` declares.
    pub fn by(stack: &Stack, name: &str) -> Self {
        let conditions = stack.conditions.keys().cloned().collect();
        let http = stack.http_apis.iter().map(|(id, api)| (id.clone(), api.stages.keys().cloned().collect()));
        let rest = stack.rest_apis.iter().map(|(id, api)| (id.clone(), api.stages.keys().cloned().collect()));
        let sockets = stack.web_socket_apis.iter();
        let sockets = sockets.map(|(id, api)| (id.clone(), api.stages.keys().cloned().collect()));
        let stages = http.chain(rest).chain(sockets).collect();
        let mut declared =
            Self { name: name.to_owned(), known: BTreeMap::new(), conditions, stages, others: None, lacks_some: false };
        stack.visit(&mut |it| {
            let known = Known { kind: it.kind.to_owned(), name: it.name, attributes: it.attributes };
            declared.known.insert(it.id.to_owned(), known);
            it.derived.into_iter().for_each(|derived| declared.derive(derived));
        });
        ids::of_stack(stack).into_iter().for_each(|derived| declared.derive(derived));
        declared
    }

    /// Knows the other stacks of the project.
    pub(crate) fn among(&mut self, others: Others) {
        self.others = Some(others);
    }

    /// The CloudFormation type of a resource, where it is known.
    pub(super) fn kind_of(&self, id: &str) -> Option<&str> {
        self.known.get(id).map(|known| known.kind.as_str()).filter(|kind| !kind.is_empty())
    }

    /// The name of the stack.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Knows that there is more than could be read.
    pub(crate) fn lack_some(&mut self) {
        self.lacks_some = true;
    }

    /// Whether all that there is could be read.
    pub(crate) fn is_whole(&self) -> bool {
        !self.lacks_some
    }

    /// Knows an id of which nothing more is known, because its declaration could not be read.
    pub(crate) fn assume(&mut self, id: &str) {
        let known = Known { kind: String::new(), name: "resource", attributes: None };
        self.known.entry(id.to_owned()).or_insert(known);
        self.conditions.insert(id.to_owned());
    }

    fn derive(&mut self, derived: ids::Derived) {
        let attributes = Some(derived.attributes);
        self.known.entry(derived.id).or_insert(Known { kind: derived.kind.to_owned(), name: derived.name, attributes });
    }

    /// Refuses an id that is not of the kind that is needed.
    pub(crate) fn expect_kind(&self, id: &str, kind: &str, name: &str) -> Result<(), garde::Error> {
        let fits = |it: &Known| it.kind == kind && it.is_called(name);
        self.expect_such(id, fits, name)
    }

    /// Refuses an id that is of none of the kinds that would do.
    fn expect_any(&self, id: &str, kinds: &[&str], name: &str) -> Result<(), garde::Error> {
        self.expect_such(id, |it| kinds.contains(&it.kind.as_str()), name)
    }

    fn expect_such(&self, id: &str, fits: impl Fn(&Known) -> bool + Copy, name: &str) -> Result<(), garde::Error> {
        match self.known.get(id) {
            Some(known) if fits(known) || known.kind.is_empty() => Ok(()),
            Some(known) => {
                let help = self.choice(id, fits, name);
                Err(error(format!("`{id}` is {}, not {}", article(known.name), article(name)), help))
            }
            None => Err(error(format!("no {name} `{id}`"), self.choice(id, fits, name))),
        }
    }

    /// Refuses what is not the id of a secret, without repeating it: it may be the secret itself.
    pub(crate) fn expect_secret(&self, id: &str) -> Result<(), garde::Error> {
        use crate::model::secretsmanager::Secret;
        let is_secret = |known: &Known| known.kind == Secret::TYPE;
        if self.known.get(id).is_some_and(|known| is_secret(known) || known.kind.is_empty()) {
            return Ok(());
        }
        let secrets = self.known.iter().filter(|(_, known)| is_secret(known)).map(|(id, _)| id.as_str());
        let help = match closest(id, secrets) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "declare it under `secrets`, or write `{ secretId: name }` for one that exists already; its value \
                     must not stand here"
                .to_owned(),
        };
        Err(error("this is no secret of the stack", help))
    }

    /// Whether any resource is of a type.
    pub(super) fn has_type(&self, kind: &str) -> bool {
        self.known.values().any(|known| known.kind == kind)
    }

    /// Whether an id is that of a resource whose `Ref` is not its ARN.
    pub(super) fn is_resource(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.kind != "Parameter" && !known.kind.is_empty())
    }

    /// Whether an id is that of a parameter.
    pub(super) fn is_parameter(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.kind == "Parameter")
    }

    /// Whether an id is that of a resource whose properties are synthesized.
    pub(super) fn is_synthesized(&self, id: &str) -> bool {
        self.is_resource(id) && self.known.get(id).is_some_and(|known| known.name != "raw resource")
    }

    /// The resource that must be made before a value is known, in words.
    pub(super) fn made_for(&self, value: &Value) -> Option<String> {
        let resource = |id: &str| self.is_resource(id).then(|| format!("`{id}`"));
        match value {
            Value::Ref(id) | Value::Get { id, .. } => resource(id),
            Value::Url(url) => resource(&url.api),
            Value::Sub(text) => substituted(text).find_map(|name| resource(id_of(name))),
            Value::Raw(json) => self.made_for_json(json),
            _ => value.inside().into_iter().find_map(|(_, value)| self.made_for(value)),
        }
    }

    fn made_for_json(&self, json: &Json) -> Option<String> {
        let resource = |id: &str| self.is_resource(id).then(|| format!("`{id}`"));
        match json {
            Json::Array(list) => list.iter().find_map(|it| self.made_for_json(it)),
            Json::Object(map) => map.iter().find_map(|(key, argument)| match (key.as_str(), argument) {
                ("Ref" | "Fn::GetAtt", Json::String(name)) => resource(id_of(name)),
                ("Fn::GetAtt", Json::Array(list)) => resource(list.first()?.as_str()?),
                ("Fn::Sub", Json::String(text)) => substituted(text).find_map(|name| resource(id_of(name))),
                ("Fn::Sub", Json::Array(list)) => {
                    foreign(list).find_map(|name| resource(id_of(name))).or_else(|| self.made_for_json(argument))
                }
                _ => self.made_for_json(argument),
            }),
            _ => None,
        }
    }

    /// Refuses an id that nothing has.
    pub(crate) fn expect(&self, id: &str) -> Result<(), garde::Error> {
        if self.known.contains_key(id) || PSEUDO.contains(&id) {
            return Ok(());
        }
        if id.starts_with("AWS::") {
            return Err(error(format!("no pseudo parameter `{id}`"), format!("there are {}", list(PSEUDO))));
        }
        Err(error(format!("nothing has the id `{id}`"), self.choice(id, |_| true, "id")))
    }

    /// Refuses a condition that the stack does not have.
    pub(crate) fn expect_condition(&self, name: &str) -> Result<(), garde::Error> {
        if self.conditions.contains(name) || name == ids::USES_CDK_BUCKET {
            return Ok(());
        }
        let help = match closest(name, self.conditions.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "declare it under `conditions`".to_owned(),
        };
        Err(error(format!("no condition `{name}`"), help))
    }

    /// What a value, or one inside it, refers to and the stack does not have.
    pub(crate) fn dangling(&self, value: &Value) -> Vec<garde::Error> {
        let inside = value.inside().into_iter().flat_map(|(_, value)| self.dangling(value));
        self.dangling_here(value).into_iter().chain(inside).collect()
    }

    /// What a value itself refers to and the stack does not have.
    pub(crate) fn dangling_here(&self, value: &Value) -> Vec<garde::Error> {
        let one = |result: Result<(), garde::Error>| result.err().into_iter().collect();
        match value {
            Value::Text(_) => Vec::new(),
            Value::Ref(id) => one(self.expect(id)),
            Value::Get { id, attribute } => one(self.expect_attribute(id, attribute)),
            Value::Sub(text) => self.dangling_in_text(text),
            Value::Url(url) => one(self.expect_stage(url)),
            Value::Output(output) => one(self.expect_other(output)),
            Value::If(condition, ..) => one(self.expect_condition(condition)),
            Value::Join(..) => Vec::new(),
            Value::Raw(json) => self.dangling_in(json).into_iter().map(|(_, error)| error).collect(),
        }
    }

    /// What is wrong with CloudFormation's own expressions in free-form JSON, with the way there: what they refer to and the
    /// stack does not have, and what is not spelled as CloudFormation does.
    pub(crate) fn dangling_in(&self, json: &Json) -> Vec<(Vec<String>, garde::Error)> {
        match json {
            Json::Array(list) => {
                list.iter().enumerate().flat_map(|(index, it)| self.dangling_below(&index.to_string(), it)).collect()
            }
            Json::Object(map) => match map.iter().collect::<Vec<_>>().as_slice() {
                [(key, argument)] => self.dangling_in_member(key, argument),
                members => members.iter().flat_map(|(key, argument)| self.dangling_below(key, argument)).collect(),
            },
            _ => Vec::new(),
        }
    }

    fn dangling_below(&self, step: &str, json: &Json) -> Vec<(Vec<String>, garde::Error)> {
        let found = self.dangling_in(json).into_iter();
        found.map(|(path, error)| (std::iter::once(step.to_owned()).chain(path).collect(), error)).collect()
    }

    /// A map of one member may be an expression.
    fn dangling_in_member(&self, key: &str, argument: &Json) -> Vec<(Vec<String>, garde::Error)> {
        let here = |errors: Vec<garde::Error>| errors.into_iter().map(|error| (vec![key.to_owned()], error)).collect();
        if let Some(errors) = self.dangling_in_expression(key, argument) {
            return here(errors);
        }
        if let Some(error) = self.misspelled(key, argument) {
            return here(vec![error]);
        }
        let mut found: Vec<_> = here(self.dangling_in_list(key, argument));
        found.extend(self.dangling_below(key, argument));
        found
    }

    /// Nothing if this is no reference.
    fn dangling_in_expression(&self, key: &str, argument: &Json) -> Option<Vec<garde::Error>> {
        let found = match (key, argument) {
            ("Ref", Json::String(id)) => self.expect(id),
            ("Fn::GetAtt", Json::String(text)) => match text.split_once('.') {
                Some((id, attribute)) => self.expect_attribute(id, attribute),
                None => self.expect(text),
            },
            ("Fn::GetAtt", Json::Array(list)) => match list.as_slice() {
                [Json::String(id), Json::String(attribute)] => self.expect_attribute(id, attribute),
                _ => return None,
            },
            ("Fn::Sub", Json::String(text)) => return Some(self.dangling_in_text(text)),
            _ => return None,
        };
        Some(found.err().into_iter().collect())
    }

    /// What the first of an expression's arguments names; the others may be expressions in turn.
    fn dangling_in_list(&self, key: &str, argument: &Json) -> Vec<garde::Error> {
        match (key, argument.as_array().map(Vec::as_slice)) {
            ("Fn::If", Some([Json::String(condition), ..])) => {
                self.expect_condition(condition).err().into_iter().collect()
            }
            ("Fn::Sub", Some(list)) => foreign(list).filter_map(|name| self.expect_substituted(name).err()).collect(),
            _ => Vec::new(),
        }
    }

    /// An expression that is spelled as everywhere else in a stack file, or a function that is not there. A property may
    /// be called so as well: only what leads to something of the stack can have been meant.
    fn misspelled(&self, key: &str, argument: &Json) -> Option<garde::Error> {
        let leads = |name: &str| self.known.contains_key(id_of(name)) || PSEUDO.contains(&name);
        let written = |function: &str| {
            error(
                format!("`{key}` is not CloudFormation's spelling, and this goes to it as it is"),
                format!("write `{{ \"{function}\": ... }}`"),
            )
        };
        match (key, argument) {
            ("ref", Json::String(id)) if leads(id) => Some(written("Ref")),
            ("get", Json::String(name)) if name.contains('.') && leads(name) => Some(written("Fn::GetAtt")),
            ("sub", Json::String(text)) if substituted(text).any(leads) => Some(written("Fn::Sub")),
            ("url", Json::String(api)) if self.stages.contains_key(id_of(api)) => Some(error(
                "`url` is not CloudFormation's spelling, and this goes to it as it is",
                "write `{ \"Fn::GetAtt\": [Api, ApiEndpoint] }`, or put the URL of a REST API together with `Fn::Sub`",
            )),
            _ if key.starts_with("Fn::") && !key.starts_with("Fn::ForEach") && !FUNCTIONS.contains(&key) => {
                let meant = closest(key, FUNCTIONS)?;
                Some(error(
                    format!("CloudFormation has no function `{}`", key.escape_debug()),
                    format!("did you mean `{meant}`?"),
                ))
            }
            _ => None,
        }
    }

    fn dangling_in_text(&self, text: &str) -> Vec<garde::Error> {
        substituted(text).filter_map(|name| self.expect_substituted(name).err()).collect()
    }

    fn expect_substituted(&self, name: &str) -> Result<(), garde::Error> {
        match name.split_once('.') {
            Some((id, attribute)) => self.expect_attribute(id, attribute),
            None => self.expect(name),
        }
    }

    fn expect_attribute(&self, id: &str, attribute: &str) -> Result<(), garde::Error> {
        self.expect(id)?;
        let Some(Known { name, attributes: Some(attributes), .. }) = self.known.get(id) else { return Ok(()) };
        if attributes.contains(&attribute) {
            return Ok(());
        }
        let help = match (closest(attribute, attributes.iter().copied()), attributes) {
            (Some(meant), _) => format!("did you mean `{id}.{meant}`?"),
            (None, []) => format!("it has none: write `{{ ref: {id} }}`"),
            (None, attributes) => format!("it has {}", list(attributes.iter().copied())),
        };
        Err(error(format!("{name} `{id}` has no attribute `{attribute}`"), help))
    }

    fn expect_stage(&self, url: &ApiUrl) -> Result<(), garde::Error> {
        use crate::model::apigateway::RestApi;
        use crate::model::apigatewayv2::{HttpApi, WebSocketApi};
        self.expect_any(&url.api, &[HttpApi::TYPE, RestApi::TYPE], "API")?;
        let Some(stages) = self.stages.get(&url.api) else { return Ok(()) };
        let has_no_default =
            self.known.get(&url.api).is_some_and(|known| [RestApi::NAME, WebSocketApi::NAME].contains(&known.name));
        if stages.contains(&url.stage) || (has_no_default && url.stage == "$default" && stages.len() == 1) {
            return Ok(());
        }
        if has_no_default && url.stage == "$default" {
            let written: Vec<String> = stages.iter().map(|stage| format!("{{ url: {}.{stage} }}", url.api)).collect();
            let help = format!("say which: {}", list(written.iter().map(String::as_str)));
            return Err(error(format!("API `{}` has {} stages", url.api, stages.len()), help));
        }
        let help = match stages.iter().next() {
            Some(stage) if stage == "$default" => format!("write `{{ url: {} }}`", url.api),
            Some(stage) => format!("write `{{ url: {}.{stage} }}`", url.api),
            None => "declare it under the API's `stages`".to_owned(),
        };
        Err(error(format!("API `{}` has no stage `{}`", url.api, url.stage), help))
    }

    fn expect_other(&self, output: &CrossStack) -> Result<(), garde::Error> {
        if output.stack == self.name {
            return Err(error(
                format!("`{}.{}` is an output of this very stack", output.stack, output.name),
                "refer to the resource itself: `{ ref: Id }` or `{ get: Id.Attribute }`",
            ));
        }
        self.others.as_ref().map_or(Ok(()), |others| others.expect(output).map(drop))
    }

    /// Refuses an output of another stack that shows something else than what CloudFormation's `Ref` gives for a resource.
    pub(crate) fn expect_reference<T: Resource>(&self, output: &CrossStack) -> Result<(), garde::Error> {
        // A function is known by its name and by its ARN, and a secret's `Ref` is its ARN.
        let wants_id = [UserPool::TYPE, UserPoolClient::TYPE].contains(&T::TYPE);
        let fits = |about| about == About::Reference || !wants_id;
        self.expect_shown::<T>(output, fits, "the ARN", "{ ref: Id }")
    }

    /// Refuses an output of another stack that shows something else than the ARN of a resource.
    pub(crate) fn expect_arn<T: Resource>(&self, output: &CrossStack) -> Result<(), garde::Error> {
        let has_arn = T::ATTRIBUTES.contains(&"Arn");
        self.expect_shown::<T>(output, |about| about == About::Arn || !has_arn, "the id", "{ get: Id.Arn }")
    }

    fn expect_shown<T: Resource>(
        &self,
        output: &CrossStack,
        fits: impl Fn(About) -> bool,
        other: &str,
        written: &str,
    ) -> Result<(), garde::Error> {
        self.expect_other(output)?;
        let Some(exported) = self.others.as_ref().and_then(|others| others.expect(output).ok().flatten()) else {
            return Ok(());
        };
        let named = format!("`{}.{}`", output.stack, output.name);
        let wanted = article(T::NAME);
        let help = format!("show it there with `{written}`");
        match &exported.about {
            Some((kind, _)) if kind != T::TYPE => {
                Err(error(format!("{named} is of type `{kind}`, not {wanted}"), help))
            }
            Some((_, about)) if !fits(*about) => Err(error(format!("{named} is {other} of {wanted}"), help)),
            _ => Ok(()),
        }
    }

    fn choice(&self, id: &str, fits: impl Fn(&Known) -> bool, name: &str) -> String {
        let there: Vec<&str> = self.known.iter().filter(|(_, it)| fits(it)).map(|(id, _)| id.as_str()).collect();
        match (closest(id, there.iter().copied()), there.as_slice()) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, []) => format!("the stack declares no {name}"),
            (None, [only]) => format!("there is only `{only}`"),
            (None, some) if some.len() <= 8 => format!("there are {}", list(some.iter().copied())),
            (None, _) => "declare it first".to_owned(),
        }
    }
}

/// The names in `${...}` of a text, without the escaped `${!...}`.
fn substituted(text: &str) -> impl Iterator<Item = &str> {
    let names = text.split("${").skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.trim());
    names.filter(|name| !name.starts_with('!'))
}

/// The names in `${...}` of the text of a `Fn::Sub` that brings some values itself; those of them that it does not bring.
fn foreign(list: &[Json]) -> impl Iterator<Item = &str> {
    let (text, own) = match list {
        [Json::String(text), Json::Object(own)] => (text.as_str(), Some(own)),
        _ => ("", None),
    };
    substituted(text).filter(move |name| own.is_none_or(|own| !own.contains_key(*name)))
}

/// `Users` of `Users.Arn`.
fn id_of(name: &str) -> &str {
    name.split_once('.').map_or(name, |(id, _)| id)
}

fn article(name: &str) -> String {
    // "an HTTP API", "an authorizer"; "a user pool" is spoken with a consonant.
    let vowel = name.starts_with(['a', 'e', 'i', 'o', 'A', 'H', 'I', 'L']) && !name.starts_with("La");
    format!("{} {name}", if vowel { "an" } else { "a" })
}

pub(super) fn error(message: impl AsRef<str>, help: impl AsRef<str>) -> garde::Error {
    garde::Error::new(format!("{}\n{}", message.as_ref(), help.as_ref()))
}
