//! What the other stacks of a project show, and whether a reference to it finds what it needs.

use std::collections::BTreeMap;

use crate::model::raw::Output;
use crate::model::value::CrossStack;
use crate::model::{Stack, Value};
use crate::similar::closest;

use super::Declared;
use super::declared::error;
use super::words::list;

/// The stacks of a project, with what each one shows.
#[derive(Debug, Clone, Default)]
pub struct Others(BTreeMap<String, Shown>);

/// What a stack shows; nothing is known where its file could not be read as a whole.
type Shown = Option<BTreeMap<String, Exported>>;

/// An output of another stack.
#[derive(Debug, Clone)]
pub(super) struct Exported {
    /// The name under which it is exported, where it is known.
    name: Option<String>,
    /// The resource that it is about, and what it says of it.
    pub(super) about: Option<(String, About)>,
}

/// What an output says of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// What CloudFormation's `Ref` gives.
    Reference,
    /// Its ARN.
    Arn,
}

impl Others {
    /// Knows what a stack shows that is deployed as `name`.
    pub fn add(&mut self, name: &str, stack: &Stack) {
        let declared = Declared::by(stack, name);
        let exported = |(output, it): (&String, &Output)| (output.clone(), Exported::of(&declared, output, it));
        self.0.insert(name.to_owned(), Some(stack.outputs.iter().map(exported).collect()));
    }

    /// Knows that there is a stack, and nothing of what it shows.
    pub fn assume(&mut self, name: &str) {
        self.0.insert(name.to_owned(), None);
    }

    /// Refuses an output that no stack shows; nothing where it is not known what the stack shows.
    pub(super) fn expect(&self, output: &CrossStack) -> Result<Option<&Exported>, garde::Error> {
        let Some(shown) = self.0.get(&output.stack) else { return Err(self.no_stack(output)) };
        let Some(shown) = shown else { return Ok(None) };
        let Some(exported) = shown.get(&output.name) else { return Err(no_output(output, shown)) };
        match &exported.name {
            Some(name) if *name != output.export() => Err(error(
                format!("`{}.{}` is exported as `{name}`", output.stack, output.name),
                format!(
                    "take `export` out of that output; another name is imported as `{{ raw: {{ \"Fn::ImportValue\": {name} }} }}`"
                ),
            )),
            _ => Ok(Some(exported)),
        }
    }

    fn no_stack(&self, output: &CrossStack) -> garde::Error {
        let stacks = || self.0.keys().map(String::as_str);
        let help = match closest(&output.stack, stacks()) {
            Some(meant) => format!("did you mean `{meant}.{}`?", output.name),
            None => format!(
                "declare it in `stacks/{}.yaml`; what stands elsewhere is imported as `{{ raw: {{ \"Fn::ImportValue\": ... }} }}`",
                output.stack
            ),
        };
        error(format!("the project has no stack `{}`", output.stack), help)
    }
}

fn no_output(output: &CrossStack, shown: &BTreeMap<String, Exported>) -> garde::Error {
    let names = || shown.keys().map(String::as_str);
    let help = match (closest(&output.name, names()), shown.len()) {
        (Some(meant), _) => format!("did you mean `{}.{meant}`?", output.stack),
        (None, 0) => "declare it there under `outputs`".to_owned(),
        (None, _) => format!("it has {}", list(names())),
    };
    error(format!("stack `{}` has no output `{}`", output.stack, output.name), help)
}

impl Exported {
    fn of(declared: &Declared, name: &str, output: &Output) -> Self {
        let export = output.exported_name(declared.name(), name).filter(|export| !export.contains("${"));
        let about = match &output.value {
            Value::Ref(id) if declared.is_resource(id) => Some((id, About::Reference)),
            Value::Get { id, attribute } if attribute == "Arn" => Some((id, About::Arn)),
            _ => None,
        };
        let about = about.and_then(|(id, about)| Some((declared.kind_of(id)?.to_owned(), about)));
        Self { name: export, about }
    }
}
