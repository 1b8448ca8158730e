//! Did you mean: the known name that is closest to a mistyped one.

/// How alike two names must be before one is offered for the other, from 0 to 1.
const LIKENESS: f64 = 0.7;

/// The candidate that is most like `name`, when one is like it at all. Upper and lower case are the same here.
#[must_use]
pub fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_of_the_finger_is_recognized() {
        assert_eq!(closest("protcted", ["hello", "protected"]), Some("protected"));
        assert_eq!(closest("Users", ["users"]), Some("users"));
    }

    #[test]
    fn a_different_name_is_not_offered() {
        assert_eq!(closest("billing", ["hello", "protected"]), None);
        assert_eq!(closest("x", []), None);
    }
}
