//! Symbolic links of a zip: what they lead to takes their place, as it does in a folder.

use std::collections::{BTreeMap, BTreeSet};

/// How many links Linux follows on the way to one file.
const MOST: usize = 40;

/// What a zip holds besides files.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// What each link says of where it leads, by its name.
    links: BTreeMap<String, String>,
    folders: BTreeSet<String>,
}

impl Links {
    /// Takes in a link.
    pub(super) fn insert(&mut self, name: String, target: String) {
        self.links.insert(name, target);
    }

    /// Takes in a folder, whose name may end with a slash.
    pub(super) fn insert_folder(&mut self, name: &str) {
        self.folders.insert(name.trim_end_matches('/').to_owned());
    }

    /// The file that each name stands for that comes of the links.
    ///
    /// # Errors
    /// The name of a link that leads out of the zip, to nothing in it, or in a circle.
    pub(super) fn follow(&self, files: &BTreeSet<String>) -> Result<BTreeMap<String, String>, &str> {
        let mut journey = Journey { links: self, files, within: Vec::new(), found: BTreeMap::new() };
        for name in self.links.keys() {
            journey.visit(name, name).ok_or(name.as_str())?;
        }
        Ok(journey.found)
    }

    /// The path without links; `None` where it leads out of the zip, or on and on.
    fn place(&self, path: &str) -> Option<String> {
        let mut ahead: Vec<&str> = path.split('/').rev().collect();
        let mut place: Vec<&str> = Vec::new();
        let mut followed = 0;
        while let Some(part) = ahead.pop() {
            match part {
                "" | "." => {}
                ".." => drop(place.pop()?),
                part => {
                    place.push(part);
                    let Some(target) = self.links.get(&place.join("/")) else { continue };
                    followed += 1;
                    if followed > MOST || target.starts_with('/') {
                        return None;
                    }
                    place.pop();
                    ahead.extend(target.split('/').rev());
                }
            }
        }
        Some(place.join("/"))
    }
}

struct Journey<'a> {
    links: &'a Links,
    files: &'a BTreeSet<String>,
    /// The folders whose contents are being visited.
    within: Vec<String>,
    found: BTreeMap<String, String>,
}

impl Journey<'_> {
    /// Finds what `link` leads to, and puts it at `name`.
    fn visit(&mut self, name: &str, link: &str) -> Option<()> {
        let place = self.links.place(link)?;
        if self.files.contains(&place) {
            self.found.insert(name.to_owned(), place);
            return Some(());
        }
        if self.within.contains(&place) {
            return None;
        }
        let start = if place.is_empty() { String::new() } else { format!("{place}/") };
        let is_known = self.links.folders.contains(&place);
        self.within.push(place);
        let is_folder = self.visit_folder(name, &start)?;
        self.within.pop();
        (is_folder || is_known).then_some(())
    }

    /// Puts what is below `start` below `name`; says whether there is anything.
    fn visit_folder(&mut self, name: &str, start: &str) -> Option<bool> {
        let (all_files, all_links) = (self.files, &self.links.links);
        let mut files = all_files.iter().filter_map(|file| Some((file, file.strip_prefix(start)?))).peekable();
        let mut links = all_links.keys().filter_map(|link| Some((link, link.strip_prefix(start)?))).peekable();
        let is_folder = files.peek().is_some() || links.peek().is_some();
        self.found.extend(files.map(|(file, rest)| (format!("{name}/{rest}"), file.clone())));
        for (link, rest) in links {
            self.visit(&format!("{name}/{rest}"), link)?;
        }
        Some(is_folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(files: &[&str], links: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        let mut all = Links::default();
        all.insert_folder("empty/");
        links.iter().for_each(|(name, target)| all.insert((*name).to_owned(), (*target).to_owned()));
        let files = files.iter().map(|file| (*file).to_owned()).collect();
        all.follow(&files).map(|found| found.into_iter().collect()).map_err(str::to_owned)
    }

    #[test]
    fn links_lead_to_files_and_folders_of_the_zip() {
        let files = ["v1/a", "v1/b/c", "top"];
        for (link, target, expected) in [
            ("x", "top", vec![("x", "top")]),
            ("v1/b/x", "../../top", vec![("v1/b/x", "top")]),
            ("x", "./v1//b/", vec![("x/c", "v1/b/c")]),
            ("x", "v1", vec![("x/a", "v1/a"), ("x/b/c", "v1/b/c")]),
            ("x", "empty", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(at, of)| (at.to_owned(), of.to_owned())).collect();
            assert_eq!(followed(&files, &[(link, target)]), Ok(expected), "{link} {target}");
        }
    }

    #[test]
    fn links_lead_on_through_links() {
        let found = followed(&["v1/a"], &[("now", "v1"), ("v1/again", "a"), ("x", "now/again")]).expect("all lead on");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["now/a", "now/again", "v1/again", "x"]);
        assert!(found.iter().all(|(_, file)| file == "v1/a"), "{found:?}");
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        for target in ["missing", "../top", "v1/../../top", "/etc/passwd", "x", ".", ""] {
            assert_eq!(followed(&["top", "v1/a"], &[("x", target)]), Err("x".to_owned()), "{target}");
        }
        assert_eq!(followed(&["v1/a"], &[("v1/x", "../v1")]), Err("v1/x".to_owned()));
        assert_eq!(followed(&[], &[("x", "y"), ("y", "x")]), Err("x".to_owned()));
    }
}
