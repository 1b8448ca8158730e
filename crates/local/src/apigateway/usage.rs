//! API keys and usage plans: who may call how often.
//!
//! Counts are part of the account, so a quota outlives a restart; they are kept by day, as AWS reports them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Date, Duration, Month, OffsetDateTime};
use uuid::Uuid;

use super::{RestApis, bad_request, conflict, identifier, not_found};
use crate::hidden::Hidden;
use crate::signature;
use crate::wire::Fault;

/// Days that counts are kept: the longest period of a quota, and some to look back on.
const KEPT: Duration = Duration::days(90);

/// A key that a client presents to be counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ApiKey {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer_id: Option<String>,
    pub(crate) value: Hidden,
    pub(crate) enabled: bool,
    /// Seconds since 1970.
    pub(crate) created_date: i64,
    pub(crate) last_updated_date: i64,
    pub(crate) tags: BTreeMap<String, String>,
}

/// How much the holders of its keys may call of some stages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UsagePlan {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) api_stages: Vec<ApiStage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) throttle: Option<Throttle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quota: Option<Quota>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Ids of its keys.
    pub(crate) keys: BTreeSet<String>,
    /// Requests by key and day, such as `2026-01-31`, so that days are in order.
    pub(crate) counts: BTreeMap<String, BTreeMap<String, u64>>,
    /// What `UpdateUsage` granted beyond the quota, by key.
    pub(crate) extensions: BTreeMap<String, Extension>,
}

/// Requests beyond a quota, for one of its periods.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Extension {
    /// The first day of the period.
    begins: String,
    requests: i64,
}

/// A stage that a plan is for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ApiStage {
    pub(crate) api_id: String,
    pub(crate) stage: String,
    /// Limits of single methods, by `{path}/{method}`: `/notes/GET`, and `//GET` at the root.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) throttle: BTreeMap<String, Throttle>,
}

/// A rate and a burst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Throttle {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) burst_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate_limit: Option<f64>,
}

/// How many requests a key has in a period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Quota {
    pub(crate) limit: u64,
    /// Days by which the period begins later.
    pub(crate) offset: u8,
    /// `DAY`, `WEEK` or `MONTH`.
    pub(crate) period: String,
}

/// A key that opens a stage, and the plan that says how often.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Admission {
    /// Id of the plan.
    pub(crate) plan: String,
    /// Id of the key.
    pub(crate) key: String,
    /// The key itself.
    pub(crate) value: Hidden,
    /// Limit of the plan.
    pub(crate) throttle: Option<Throttle>,
    /// Limit of the method within the plan, and the name that the plan has for the method.
    pub(crate) method_throttle: Option<(String, Throttle)>,
}

impl Quota {
    /// The first day of the period that a day lies in.
    fn begins(&self, today: Date) -> Date {
        let offset = Duration::days(i64::from(self.offset));
        let shifted = today.saturating_sub(offset);
        let first = match self.period.as_str() {
            "WEEK" => shifted.saturating_sub(Duration::days(i64::from(shifted.weekday().number_days_from_sunday()))),
            "MONTH" => shifted.replace_day(1).unwrap_or(shifted),
            _ => return today,
        };
        first.saturating_add(offset)
    }

    fn check(&self) -> Result<(), Fault> {
        let most = match self.period.as_str() {
            "DAY" => 0,
            "WEEK" => 6,
            "MONTH" => 27,
            _ => return Err(bad_request("Usage Plan quota period must be one of [DAY, WEEK, MONTH]")),
        };
        match self.offset <= most {
            true => Ok(()),
            false => Err(bad_request(format!(
                "Usage Plan quota offset must be between 0 and {most} for the {} period",
                self.period
            ))),
        }
    }
}

impl UsagePlan {
    /// Whether it is for this stage.
    fn covers(&self, api: &str, stage: &str) -> Option<&ApiStage> {
        self.api_stages.iter().find(|one| one.api_id == api && one.stage == stage)
    }

    /// Requests that a key has made in the period that a day lies in, up to that day.
    fn used(&self, key: &str, quota: &Quota, today: Date) -> u64 {
        let (first, last) = (quota.begins(today).to_string(), today.to_string());
        let counts = self.counts.get(key).into_iter().flatten();
        counts.filter(|(day, _)| **day >= first && **day <= last).map(|(_, count)| count).sum()
    }

    /// Requests that a key has left on a day; without a quota there is no end.
    fn left(&self, key: &str, today: Date) -> Option<i64> {
        let quota = self.quota.as_ref()?;
        let granted = i64::try_from(quota.limit).unwrap_or(i64::MAX);
        let begins = quota.begins(today).to_string();
        let extension = self.extensions.get(key).filter(|extension| extension.begins == begins);
        let granted = granted.saturating_add(extension.map_or(0, |extension| extension.requests));
        Some(granted.saturating_sub(i64::try_from(self.used(key, quota, today)).unwrap_or(i64::MAX)))
    }

    /// Counts a request of a key, unless its quota is used up.
    fn count(&mut self, key: &str, now: OffsetDateTime) -> bool {
        let today = now.date();
        if self.left(key, today).is_some_and(|left| left <= 0) {
            return false;
        }
        let days = self.counts.entry(key.to_owned()).or_default();
        let oldest = today.saturating_sub(KEPT).to_string();
        days.retain(|day, _| *day > oldest);
        *days.entry(today.to_string()).or_default() += 1;
        true
    }

    /// What a key used and had left on each day, as `GetUsage` answers.
    pub(crate) fn usage(&self, key: &str, from: Date, to: Date) -> Vec<[i64; 2]> {
        let mut days = Vec::new();
        let mut day = from;
        // No answer is longer than what is kept.
        while day <= to && days.len() < 366 {
            let used =
                self.counts.get(key).and_then(|counts| counts.get(&day.to_string())).copied().unwrap_or_default();
            let left = self.left(key, day).unwrap_or_else(|| i64::from(i32::MAX));
            days.push([i64::try_from(used).unwrap_or(i64::MAX), left]);
            let Some(next) = day.next_day() else { break };
            day = next;
        }
        days
    }

    /// Lets a key have this many requests left in the present period.
    pub(crate) fn extend(&mut self, key: &str, remaining: i64, now: OffsetDateTime) {
        self.extensions.remove(key);
        let today = now.date();
        let (Some(left), Some(quota)) = (self.left(key, today), &self.quota) else { return };
        let extension = Extension { begins: quota.begins(today).to_string(), requests: remaining.saturating_sub(left) };
        self.extensions.insert(key.to_owned(), extension);
    }
}

impl RestApis {
    /// Every usage plan.
    pub(crate) fn usage_plans(&self) -> &BTreeMap<String, UsagePlan> {
        &self.usage_plans
    }

    /// The usage plan of this id.
    pub(crate) fn usage_plan(&self, id: &str) -> Result<&UsagePlan, Fault> {
        self.usage_plans.get(id).ok_or_else(no_plan)
    }

    /// The usage plan of this id, to be changed.
    pub(crate) fn usage_plan_mut(&mut self, id: &str) -> Result<&mut UsagePlan, Fault> {
        self.usage_plans.get_mut(id).ok_or_else(no_plan)
    }

    /// Makes a usage plan, or changes the one of `id`, and returns its id. Its keys and counts stay.
    pub(crate) fn put_usage_plan(&mut self, id: Option<&str>, mut plan: UsagePlan) -> Result<String, Fault> {
        if plan.name.is_empty() {
            return Err(bad_request("Usage Plan name cannot be empty"));
        }
        if let Some(quota) = &plan.quota {
            quota.check()?;
        }
        for stage in &plan.api_stages {
            if !self.api(&stage.api_id)?.stages.contains_key(&stage.stage) {
                return Err(bad_request(format!("API Stage not found: {}:{}", stage.api_id, stage.stage)));
            }
        }
        let id = match id {
            None => {
                // Whatever a request says of them: keys are added, and requests counted, one by one.
                (plan.keys, plan.counts, plan.extensions) = Default::default();
                identifier(6)
            }
            Some(id) => {
                let held = self.usage_plan(id)?;
                (plan.keys, plan.counts) = (held.keys.clone(), held.counts.clone());
                plan.extensions.clone_from(&held.extensions);
                id.to_owned()
            }
        };
        self.usage_plans.insert(id.clone(), plan);
        Ok(id)
    }

    /// Removes a usage plan.
    pub(crate) fn delete_usage_plan(&mut self, id: &str) -> Result<(), Fault> {
        self.usage_plans.remove(id).map(drop).ok_or_else(no_plan)
    }

    /// Gives a usage plan a key.
    pub(crate) fn add_plan_key(&mut self, plan: &str, key: &str) -> Result<(), Fault> {
        self.api_key(key)?;
        match self.usage_plan_mut(plan)?.keys.insert(key.to_owned()) {
            true => Ok(()),
            false => Err(conflict(format!("Usage plan key {key} already exists in usage plan {plan}"))),
        }
    }

    /// Takes a key from a usage plan.
    pub(crate) fn remove_plan_key(&mut self, plan: &str, key: &str) -> Result<(), Fault> {
        match self.usage_plan_mut(plan)?.keys.remove(key) {
            true => Ok(()),
            false => Err(not_found("Invalid Usage Plan Key identifier specified")),
        }
    }

    /// Every API key.
    pub(crate) fn api_keys(&self) -> &BTreeMap<String, ApiKey> {
        &self.api_keys
    }

    /// The API key of this id.
    pub(crate) fn api_key(&self, id: &str) -> Result<&ApiKey, Fault> {
        self.api_keys.get(id).ok_or_else(no_key)
    }

    /// Makes an API key, whose value is made up where it is not given, and returns its id.
    pub(crate) fn create_api_key(&mut self, mut key: ApiKey, now: OffsetDateTime) -> Result<String, Fault> {
        if key.value.is_empty() {
            key.value = format!("{}{}", identifier(20), identifier(20)).into();
        }
        if !(20..=128).contains(&key.value.len()) {
            return Err(bad_request("API Key value should be at least 20 characters"));
        }
        if self.api_keys.values().any(|held| signature::is_equal(&held.value, &key.value)) {
            return Err(conflict("API Key already exists"));
        }
        (key.created_date, key.last_updated_date) = (now.unix_timestamp(), now.unix_timestamp());
        key.name.get_or_insert_with(|| Uuid::new_v4().to_string());
        let id = identifier(10);
        self.api_keys.insert(id.clone(), key);
        Ok(id)
    }

    /// Changes an API key; its value stays.
    pub(crate) fn update_api_key(&mut self, id: &str, key: ApiKey, now: OffsetDateTime) -> Result<(), Fault> {
        let held = self.api_keys.get_mut(id).ok_or_else(no_key)?;
        *held = ApiKey {
            value: held.value.clone(),
            created_date: held.created_date,
            last_updated_date: now.unix_timestamp(),
            ..key
        };
        Ok(())
    }

    /// Removes an API key, also from the plans that have it.
    pub(crate) fn delete_api_key(&mut self, id: &str) -> Result<(), Fault> {
        self.api_keys.remove(id).ok_or_else(no_key)?;
        for plan in self.usage_plans.values_mut() {
            plan.keys.remove(id);
        }
        Ok(())
    }

    /// The plan that lets whoever presents this key call a method of a stage. The method has a name by its verb, and one
    /// of its own where it is `ANY`: the first that has a limit counts.
    pub(crate) fn admission(&self, presented: &str, api: &str, stage: &str, method: [&str; 2]) -> Option<Admission> {
        let (id, key) = self.api_keys.iter().find(|(_, key)| signature::is_equal(&key.value, presented))?;
        if !key.enabled {
            return None;
        }
        self.usage_plans.iter().filter(|(_, plan)| plan.keys.contains(id)).find_map(|(plan_id, plan)| {
            let covered = plan.covers(api, stage)?;
            Some(Admission {
                plan: plan_id.clone(),
                key: id.clone(),
                value: key.value.clone(),
                throttle: plan.throttle,
                method_throttle: method
                    .iter()
                    .find_map(|name| Some(((*name).to_owned(), *covered.throttle.get(*name)?))),
            })
        })
    }

    /// Counts a request; false when the quota of its key is used up, which is not counted.
    pub(crate) fn count(&mut self, admission: &Admission, now: OffsetDateTime) -> bool {
        self.usage_plans.get_mut(&admission.plan).is_some_and(|plan| plan.count(&admission.key, now))
    }
}

/// A day as `GetUsage` has it, such as `2026-01-31`.
pub(crate) fn day(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.get(..2)?.parse().ok()?;
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

fn no_plan() -> Fault {
    not_found("Invalid Usage Plan ID specified")
}

fn no_key() -> Fault {
    not_found("Invalid API Key identifier specified")
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::super::RestApis;
    use super::{ApiKey, ApiStage, Quota, Throttle, UsagePlan};

    fn plan(limit: u64, period: &str, offset: u8) -> UsagePlan {
        UsagePlan { quota: Some(Quota { limit, offset, period: period.to_owned() }), ..UsagePlan::default() }
    }

    #[test]
    fn a_quota_ends_and_comes_back_with_its_period() {
        let mut plan = plan(2, "DAY", 0);
        let now = datetime!(2026-11-20 23:59 UTC);
        assert_eq!([plan.count("k", now), plan.count("k", now), plan.count("k", now)], [true, true, false]);
        assert!(plan.count("other", now));
        assert!(plan.count("k", datetime!(2026-11-21 0:00 UTC)));
        assert_eq!(plan.usage("k", date!(2026 - 11 - 20), date!(2026 - 11 - 21)), [[2, 0], [1, 1]]);
    }

    #[test]
    fn weeks_begin_on_sunday_and_months_on_the_first_each_by_its_offset() {
        let begins = |period: &str, offset, today| Quota { limit: 1, offset, period: period.to_owned() }.begins(today);
        // A Friday.
        let today = date!(2026 - 11 - 20);
        assert_eq!(begins("DAY", 0, today), today);
        assert_eq!(begins("WEEK", 0, today), date!(2026 - 11 - 15));
        assert_eq!(begins("WEEK", 5, today), today);
        assert_eq!(begins("WEEK", 6, today), date!(2026 - 11 - 14));
        assert_eq!(begins("MONTH", 0, today), date!(2026 - 11 - 01));
        assert_eq!(begins("MONTH", 20, today), date!(2026 - 10 - 21));
    }

    #[test]
    fn an_extension_gives_requests_back() {
        let mut plan = plan(1, "MONTH", 0);
        let now = datetime!(2026-11-20 12:00 UTC);
        assert!(plan.count("k", now) && !plan.count("k", now));
        plan.extend("k", 1, now);
        assert!(plan.count("k", now) && !plan.count("k", now));
        let next = datetime!(2026-12-01 0:00 UTC);
        assert!(plan.count("k", next) && !plan.count("k", next), "it is for one period");
    }

    #[test]
    fn a_methods_limit_is_found_by_its_verb_and_else_by_any() {
        let limit = |burst| Throttle { burst_limit: Some(burst), rate_limit: None };
        let throttle = [("/files/ANY", limit(1)), ("/files/GET", limit(2))].map(|(name, it)| (name.to_owned(), it));
        let covered = ApiStage { api_id: "a".to_owned(), stage: "s".to_owned(), throttle: throttle.into() };
        let plan = UsagePlan { api_stages: vec![covered], keys: ["k".to_owned()].into(), ..UsagePlan::default() };
        let key = ApiKey { value: "secret".to_owned().into(), enabled: true, ..ApiKey::default() };
        let mut apis = RestApis::default();
        apis.usage_plans.insert("p".to_owned(), plan);
        apis.api_keys.insert("k".to_owned(), key);
        for (names, expected) in [
            (["/files/PUT", "/files/ANY"], Some(("/files/ANY", 1))),
            (["/files/GET", "/files/ANY"], Some(("/files/GET", 2))),
            (["/files/PUT", "/files/PUT"], None),
        ] {
            let found = apis.admission("secret", "a", "s", names).expect("the key opens the stage").method_throttle;
            let found = found.as_ref().and_then(|(name, limit)| Some((name.as_str(), limit.burst_limit?)));
            assert_eq!(found, expected, "{names:?}");
        }
    }

    #[test]
    fn offsets_beyond_the_period_are_refused() {
        for (period, offset) in [("DAY", 1), ("WEEK", 7), ("MONTH", 28), ("YEAR", 0)] {
            assert!(Quota { limit: 1, offset, period: period.to_owned() }.check().is_err(), "{period} {offset}");
        }
    }
}
