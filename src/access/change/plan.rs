//! What callers with API keys may do: changes of usage plans.

use super::value::{self, admits};
use super::{Finding, Found, Subject, neutral, strengthened, weakened};
use crate::access::matrix::{Api, Kind, Matrix, Setting, UsagePlan};

/// What changes about the usage plans.
pub(super) fn plans(found: &mut Found<'_>, old: &Matrix, new: &Matrix) {
    for (id, plan) in &new.plans {
        let name = format!("usage plan {id}");
        let Some(before) = old.plans.get(id) else {
            let stages = value::listed(&plan.stages);
            // A key opens what asked for one before.
            let opens = opens(plan, old, new) && !plan.stages.is_empty();
            let words = format!("{name} is new, and opens {stages} to its keys");
            found.add(Subject::Api, &name, if opens { weakened(words) } else { neutral(format!("{name} is new")) });
            continue;
        };
        let stages = admits(
            &before.stages,
            &plan.stages,
            |came| format!("keys of {name} now open {came}"),
            |went| format!("keys of {name} open {went} no more"),
        );
        found.all(Subject::Api, &name, stages);
        found.all(Subject::Throttle, &name, limits(&name, before, plan));
    }
    for id in old.plans.keys().filter(|id| !new.plans.contains_key(*id)) {
        let name = format!("usage plan {id}");
        found.add(Subject::Api, &name, strengthened(format!("{name} goes")));
    }
}

/// Whether a new key of a plan opens something: an API that asked for one before, or one of elsewhere.
pub(super) fn opens(plan: &UsagePlan, old: &Matrix, new: &Matrix) -> bool {
    plan.apis.iter().filter_map(|id| old.apis.get(id)).any(asks_for_keys) || leads_elsewhere(plan, new)
}

/// Whether some route of an API needs an API key, or may: those of OpenAPI documents are not read.
fn asks_for_keys(api: &Api) -> bool {
    let is_asked = api.routes.values().any(|route| route.api_key != Setting::Known(false));
    is_asked || (api.kind == Kind::Rest && api.document.is_some())
}

/// Whether the keys of a plan open an API of elsewhere, or one that something here makes which is not read: their routes
/// may need one.
fn leads_elsewhere(plan: &UsagePlan, matrix: &Matrix) -> bool {
    plan.apis.iter().any(|api| !matrix.ids.contains(api) || !matrix.apis.contains_key(api))
}

fn limits(name: &str, old: &UsagePlan, new: &UsagePlan) -> Vec<Finding> {
    let mut findings = value::limits(&old.limits, &new.limits, &format!("each key of {name}"));
    // What a method has no limits for is bounded by those of the plan.
    for method in old.methods.keys().chain(new.methods.keys().filter(|method| !old.methods.contains_key(*method))) {
        let of = |plan: &UsagePlan| plan.methods.get(method).unwrap_or(&plan.limits).clone();
        findings.extend(value::limits(&of(old), &of(new), &format!("each key of {name} on {method}")));
    }
    let words = |before: &str, after: &str| format!("requests of each key of {name} in a period {before} -> {after}");
    let is_other = old.quota.is_some() && new.quota.is_some() && old.period != new.period;
    if is_other {
        let words = format!("requests of each key of {name} are counted by {} instead of {}", new.period, old.period);
        findings.push(weakened(words));
    }
    findings.extend(value::bound(old.quota.as_ref(), new.quota.as_ref(), words));
    findings
}
