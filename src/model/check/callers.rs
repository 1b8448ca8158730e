//! Who may call a route, whatever the kind of its API.

use crate::similar::closest;

use super::Complaint;
use super::words::list;

/// What a route says of its callers.
pub(super) struct Callers<'a> {
    /// The section of the API.
    pub(super) section: &'a str,
    /// The API.
    pub(super) api: &'a str,
    /// The route.
    pub(super) key: &'a str,
    /// The authorizer that it names.
    pub(super) authorizer: Option<&'a str>,
    /// Whether it says that anyone may call it.
    pub(super) public: bool,
    /// The scopes that it asks for.
    pub(super) scopes: &'a [String],
}

/// The authorizers that there are.
pub(super) struct Known<'a> {
    /// Names of those of the API.
    pub(super) here: Vec<&'a str>,
    /// Another API that has one of the name that the route gives.
    pub(super) elsewhere: Option<&'a str>,
}

impl Callers<'_> {
    /// A route names an authorizer of its API or says that it is public, and only one of the two.
    pub(super) fn check(&self, known: &Known) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        match (self.authorizer, self.public) {
            (None, false) => complaints.push(self.undecided(known)),
            (Some(name), true) => {
                let message = format!("`{}` has an authorizer and is public", self.key);
                let help = format!("remove `public` to have `{name}` decide, or `authorizer` to let anyone in");
                complaints.push(Complaint::new(&self.path(), message, help).at_key());
            }
            (Some(name), false) if !known.here.contains(&name) => complaints.push(self.unknown(name, known)),
            _ => {}
        }
        if self.public && !self.scopes.is_empty() {
            let message = "a public route asks nobody for scopes";
            complaints.push(self.at("scopes", message, "remove them, or name an `authorizer` instead of `public`"));
        }
        complaints
    }

    /// Scopes stand in tokens; whoever decides by anything else would never look at them.
    pub(super) fn scopes_without_tokens(&self, name: &str, kind: &str, takes: &str) -> Option<Complaint> {
        let message = format!("`{name}` is {kind}, which knows no scopes");
        let help = format!("remove them, or name {takes}");
        (!self.scopes.is_empty()).then(|| self.at("scopes", message, help))
    }

    /// A complaint about a field of the route.
    pub(super) fn at(&self, field: &str, message: impl Into<String>, help: impl Into<String>) -> Complaint {
        Complaint::new(&[self.section, self.api, "routes", self.key, field], message, help)
    }

    fn path(&self) -> [&str; 4] {
        [self.section, self.api, "routes", self.key]
    }

    fn undecided(&self, known: &Known) -> Complaint {
        let help = match known.here.first() {
            Some(name) => format!("add `authorizer: {name}`, or `public: true` to let anyone in"),
            None => {
                "declare one under `authorizers` and name it here, or add `public: true` to let anyone in".to_owned()
            }
        };
        Complaint::new(&self.path(), "nothing says who may call this route", help).at_key()
    }

    fn unknown(&self, name: &str, known: &Known) -> Complaint {
        let help = match (closest(name, known.here.iter().copied()), known.elsewhere) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(other)) => {
                format!("it belongs to `{other}`: declare it under `authorizers` of `{}` as well", self.api)
            }
            (None, None) if known.here.is_empty() => format!("declare it under `authorizers` of `{}`", self.api),
            (None, None) => format!("there is {}", list(known.here.iter().copied())),
        };
        self.at("authorizer", format!("API `{}` has no authorizer `{name}`", self.api), help)
    }
}
