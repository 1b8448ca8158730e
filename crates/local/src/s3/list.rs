//! Listing: keys in order, those with a common prefix taken together, page by page.

use super::target::Target;

/// What a list request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) prefix: String,
    pub(super) delimiter: Option<String>,
    /// The last key or prefix of the page before.
    pub(super) after: String,
    pub(super) limit: usize,
}

/// A page of a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<(String, T)>,
    pub(super) prefixes: Vec<String>,
    /// The last key or prefix of this page, if more follow.
    pub(super) next: Option<String>,
}

impl Listing {
    /// The request whose pages go on from the query parameter `after`.
    pub(super) fn of(target: &Target, after: &str) -> Self {
        let limit = target.get("max-keys").and_then(|limit| limit.parse().ok()).unwrap_or(1000);
        Self {
            prefix: target.get("prefix").unwrap_or_default().to_owned(),
            delimiter: target.get("delimiter").map(str::to_owned),
            after: after.to_owned(),
            limit: limit.min(1000),
        }
    }

    /// Picks a page from all items, which are in the order of their keys.
    pub(super) fn page<'a, T>(&self, all: impl Iterator<Item = (&'a String, T)>) -> Listed<T> {
        let mut listed = Listed { items: Vec::new(), prefixes: Vec::new(), next: None };
        let mut last = String::new();
        for (key, item) in all.filter(|(key, _)| key.starts_with(&self.prefix)) {
            let prefix = self.common_prefix(key);
            let shown = prefix.unwrap_or(key);
            let is_past = !self.after.is_empty() && shown <= self.after.as_str();
            if is_past || listed.prefixes.last().is_some_and(|prefix| prefix == shown) {
                continue;
            }
            if listed.items.len() + listed.prefixes.len() >= self.limit {
                listed.next = Some(last).filter(|last| !last.is_empty());
                break;
            }
            shown.clone_into(&mut last);
            match prefix {
                Some(prefix) => listed.prefixes.push(prefix.to_owned()),
                None => listed.items.push((key.clone(), item)),
            }
        }
        listed
    }

    /// The part of a key up to the first delimiter behind the prefix; none when there is no delimiter.
    fn common_prefix<'a>(&self, key: &'a str) -> Option<&'a str> {
        let delimiter = self.delimiter.as_deref()?;
        let rest = key.get(self.prefix.len()..)?;
        let end = self.prefix.len() + rest.find(delimiter)? + delimiter.len();
        key.get(..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(keys: &[&str], prefix: &str, limit: usize) -> Vec<Vec<String>> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let mut listing =
            Listing { prefix: prefix.to_owned(), delimiter: Some("/".to_owned()), after: String::new(), limit };
        let mut pages = Vec::new();
        loop {
            let listed = listing.page(keys.iter().map(|key| (key, ())));
            let mut page: Vec<String> = listed.items.into_iter().map(|(key, ())| key).chain(listed.prefixes).collect();
            page.sort();
            pages.push(page);
            let Some(next) = listed.next else { return pages };
            listing.after = next;
        }
    }

    #[test]
    fn folders_are_taken_together_over_pages() {
        let keys = ["a", "b/1", "b/2", "b/3", "c", "d/1"];
        assert_eq!(pages(&keys, "", 10), [["a", "b/", "c", "d/"]]);
        assert_eq!(pages(&keys, "", 2), [["a", "b/"], ["c", "d/"]]);
        assert_eq!(pages(&keys, "", 1), [["a"], ["b/"], ["c"], ["d/"]]);
        assert_eq!(pages(&keys, "b/", 2), [vec!["b/1", "b/2"], vec!["b/3"]]);
    }

    #[test]
    fn a_key_that_ends_with_the_delimiter_is_a_folder() {
        let listing =
            Listing { prefix: String::new(), delimiter: Some("/".to_owned()), after: String::new(), limit: 9 };
        let key = "folder/".to_owned();
        let listed = listing.page(std::iter::once((&key, ())));
        assert_eq!((listed.items.len(), listed.prefixes.len()), (0, 1));
    }
}
