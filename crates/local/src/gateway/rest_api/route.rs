//! Which method of which resource takes a request.

use std::collections::BTreeMap;

use crate::apigateway::{Method, Resource};
use crate::gateway::http_api::route::{VERBS, decoded};

/// Values that a path gives to a resource's variables, still encoded.
pub(super) type Parameters = Vec<(String, String)>;

/// The resource, method and parameters for a request. The path is that below the stage, still encoded. A resource that
/// lacks the method leaves the request to the next best, which is how `{proxy+}` takes what its siblings do not.
/// A method that no policy could name is taken by nobody.
pub(super) fn select<'a>(
    resources: &'a BTreeMap<String, Resource>,
    verb: &str,
    path: &str,
) -> Option<(&'a str, &'a Method, Parameters)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let path: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    resources
        .iter()
        .filter(|_| VERBS.contains(&verb))
        .filter_map(|(id, resource)| {
            let method = resource.resource_methods.get(verb).or_else(|| resource.resource_methods.get("ANY"))?;
            let (rank, parameters) = matched(&resource.path, &path)?;
            Some((rank, id.as_str(), method, parameters))
        })
        .min_by(|(left, ..), (right, ..)| left.cmp(right))
        .map(|(_, id, method, parameters)| (id, method, parameters))
}

/// What a segment of a resource is; the lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Literal,
    Variable,
    Greedy,
}

fn matched(resource: &str, path: &[&str]) -> Option<(Vec<Kind>, Parameters)> {
    let (mut kinds, mut parameters, mut rest) = (Vec::new(), Parameters::new(), path);
    for segment in resource.split('/').filter(|segment| !segment.is_empty()) {
        let (first, after) = rest.split_first()?;
        let variable = segment.strip_prefix('{').and_then(|segment| segment.strip_suffix('}'));
        match variable.map(|name| (name, name.strip_suffix('+'))) {
            None if decoded(first) == segment => kinds.push(Kind::Literal),
            None => return None,
            Some((_, Some(name))) => {
                kinds.push(Kind::Greedy);
                parameters.push((name.to_owned(), rest.join("/")));
                return Some((kinds, parameters));
            }
            Some(_) if first.is_empty() => return None,
            Some((name, None)) => {
                kinds.push(Kind::Variable);
                parameters.push((name.to_owned(), (*first).to_owned()));
            }
        }
        rest = after;
    }
    rest.is_empty().then_some((kinds, parameters))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::select;
    use crate::apigateway::{Method, Resource};

    fn resources(methods: &[(&str, &str)]) -> BTreeMap<String, Resource> {
        let mut resources: BTreeMap<String, Resource> = BTreeMap::new();
        for (verb, path) in methods {
            let resource = resources.entry((*path).to_owned()).or_default();
            (*path).clone_into(&mut resource.path);
            resource.resource_methods.insert((*verb).to_owned(), Method::default());
        }
        resources
    }

    fn selected(methods: &[(&str, &str)], verb: &str, path: &str) -> Option<(String, Vec<(String, String)>)> {
        let resources = resources(methods);
        select(&resources, verb, path).map(|(id, _, parameters)| (id.to_owned(), parameters))
    }

    fn id(methods: &[(&str, &str)], verb: &str, path: &str) -> Option<String> {
        selected(methods, verb, path).map(|(id, _)| id)
    }

    #[test]
    fn literals_go_before_variables_before_greedy_ones() {
        let methods = [("GET", "/a"), ("GET", "/a/{id}"), ("GET", "/a/b"), ("GET", "/{proxy+}"), ("GET", "/")];
        for (path, expected) in [
            ("/", "/"),
            ("/a", "/a"),
            ("/a/b", "/a/b"),
            ("/a/c", "/a/{id}"),
            ("/a/c/d", "/{proxy+}"),
            ("/x", "/{proxy+}"),
        ] {
            assert_eq!(id(&methods, "GET", path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn a_resource_without_the_method_leaves_it_to_the_next() {
        let methods = [("POST", "/a"), ("ANY", "/a/b"), ("OPTIONS", "/{proxy+}")];
        assert_eq!(id(&methods, "OPTIONS", "/a").as_deref(), Some("/{proxy+}"));
        assert_eq!(id(&methods, "OPTIONS", "/a/b").as_deref(), Some("/a/b"));
        assert_eq!(id(&methods, "GET", "/a"), None);
    }

    #[test]
    fn any_stands_for_the_methods_that_policies_can_name() {
        for verb in ["get", "Delete", "TRACE", "QUERY", "ANY", "*"] {
            assert_eq!(id(&[("ANY", "/x")], verb, "/x"), None, "{verb}");
        }
    }

    #[test]
    fn parameters_stay_encoded_and_lose_a_last_slash() {
        let methods = [("GET", "/u/{name}"), ("ANY", "/{proxy+}")];
        let (_, parameters) = selected(&methods, "GET", "/u/a%20b").expect("it matches");
        assert_eq!(parameters, [("name".to_owned(), "a%20b".to_owned())]);
        let (_, parameters) = selected(&methods, "GET", "/x//y/").expect("it matches");
        assert_eq!(parameters, [("proxy".to_owned(), "x//y".to_owned())]);
        assert_eq!(id(&methods, "GET", "/"), None);
    }
}
